"""The same networks and training steps in other libraries."""
