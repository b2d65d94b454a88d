"""Where frames come from: files, cameras and the built-in demo."""
