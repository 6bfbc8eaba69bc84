"""The catalog: endpoints, their arguments, and the rules that turn a request into a command line."""
