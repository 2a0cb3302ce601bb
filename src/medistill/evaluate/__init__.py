"""How good the models are, how sure that is, and whether distilling helped.

``comparison.evaluate`` makes the content of metrics.json from tables of predictions.
"""
