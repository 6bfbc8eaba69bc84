"""The server side's configuration: its options, how they are read, and their reference."""
