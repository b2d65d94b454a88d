"""The texture that a StyleGAN models: UV maps, generator, encoder, expression directions, export."""
