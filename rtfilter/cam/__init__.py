"""Camera to virtual camera: the job, its states, cards and watchers."""
