"""Where frames go: files, virtual cameras, nowhere."""
