"""What the trainings of networks share: their steps, and their checkpoints."""
