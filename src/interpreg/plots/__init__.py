"""Pictures, by matplotlib: of interpolations, codes, measures and training.

Each function draws with good defaults into the ``ax`` it is given, or into a new figure, and returns the axes. Colours
are told apart by all eyes, and lines by their dashes and markers, too. Nothing is shown or saved, and no other figure
is touched: ``interpolation_rows(rows).figure.savefig("rows.png")``.
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
