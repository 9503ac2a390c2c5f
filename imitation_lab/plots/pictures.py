"""Style a figure, and show it."""

import base64
import html
import io

from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure


def use_course_style() -> None:
    """Make every figure that follows look like the course's."""
    plt.style.use("imitation_lab.course")


def show(figure: Figure, alt: str, caption: str = "") -> None:
    """Show a figure with a description for people who cannot see it, and close it.

    Notebook front ends ignore a description in the picture's metadata, so the picture is sent as an
    HTML image as well.

    Args:
        figure: Is closed afterwards.
        alt: What the picture shows, in a sentence or two.
        caption: What to look for in it.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    width = round(100 * figure.get_figwidth())
    plt.close(figure)
    picture = base64.b64encode(buffer.getvalue()).decode()
    image = (
        f'<img alt="{html.escape(alt, quote=True)}" width="{width}" style="max-width: 100%"'
        f' src="data:image/png;base64,{picture}">'
    )
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    bundle = {
        "text/html": f'<figure style="margin: 0">{image}{below}</figure>',
        "image/png": picture,
        "text/plain": caption or alt,
    }
    display(bundle, metadata={"image/png": {"alt": alt, "width": width}}, raw=True)
