"""The embedded data set: axial thorax CT slices drawn by medistill itself, with exact truth.

Nothing here comes from a patient. Each slice shows another drawn patient at another level, with
another scanner setting; lesions are placed uniformly over the lungs.
"""

from medistill.data.phantom.dataset import read_phantom
from medistill.data.phantom.drawing import TASKS, PhantomSlice, draw_phantom, lesions_of
from medistill.data.phantom.lesions import LESIONS

__all__ = ["LESIONS", "TASKS", "PhantomSlice", "draw_phantom", "lesions_of", "read_phantom"]
