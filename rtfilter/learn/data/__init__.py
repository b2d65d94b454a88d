"""What the networks learn from: tracks, the synthetic corpus, adapters of data sets, alignment."""
