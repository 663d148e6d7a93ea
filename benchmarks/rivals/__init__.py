"""The same networks and steps as others compute them."""
