"""Pictures and pages that show what a training came to."""
