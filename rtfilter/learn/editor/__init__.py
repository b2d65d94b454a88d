"""The learned editor: a small causal network from a face's expression to the offset that an emotion adds."""
