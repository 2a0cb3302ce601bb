"""One offline HTML page that opens with the answer and then shows the evidence.

``html.write_report`` makes it from plain values: metrics.json, logs and pictures.
"""
