"""What can be run: the endpoints, their arguments, and what a request must hold to become a command."""
