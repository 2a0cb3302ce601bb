"""The sentence that every card, report and page shows. Torch-free."""

NOTICE = (
    "For research use only. This is not a medical device: it has no regulatory clearance and must "
    "not guide the care of a patient."
)
