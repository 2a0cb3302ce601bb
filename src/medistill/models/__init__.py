"""Networks: our Vision Transformer, any timm model, and their weights."""
