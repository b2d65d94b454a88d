"""What the verbs of the command line do, a file each; `rtfilter.cli` loads the one that is called."""
