"""Speed and quality, measured beside the rivals; each module is a command."""
