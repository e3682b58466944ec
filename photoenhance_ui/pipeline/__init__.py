"""What is done to one photo: its plan and its steps, without any network, torch or thread."""
