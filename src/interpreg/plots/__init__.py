"""Pictures, by matplotlib: of interpolations, codes, measures and training.

Each function draws into ``ax``, or into a new figure, and returns the axes. The colours suit colour-blind readers, and
lines differ in dashes and markers too. No figure is shown, saved or changed but that of the axes:
``interpolation_rows(rows).figure.savefig("rows.png")``.
"""

from interpreg.plots.codes import latent_scatter
from interpreg.plots.curves import error_by_alpha, error_by_interval, parameter_distance, retrieved_alpha
from interpreg.plots.rows import interpolation_rows
from interpreg.plots.sheets import corner_grid, corner_grid_of, image_sheet, prior_samples
from interpreg.plots.training import training_curves

__all__ = [
    "corner_grid",
    "corner_grid_of",
    "error_by_alpha",
    "error_by_interval",
    "image_sheet",
    "interpolation_rows",
    "latent_scatter",
    "parameter_distance",
    "prior_samples",
    "retrieved_alpha",
    "training_curves",
]
