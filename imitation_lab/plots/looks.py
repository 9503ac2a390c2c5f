"""How things look in every figure of the course: never told by colour alone."""

from dataclasses import dataclass

from imitation_lab.style import OKABE_ITO


@dataclass(frozen=True)
class Look:
    """How one thing looks in every figure: never by colour alone."""

    color: str
    marker: str
    linestyle: str = "-"


POLICY_LOOKS = {
    "expert": Look(OKABE_ITO["black"], "*"),
    "regression": Look(OKABE_ITO["vermillion"], "X"),
    "gaussian": Look(OKABE_ITO["orange"], "o", "--"),
    "categorical": Look(OKABE_ITO["sky_blue"], "s", "-."),
    "mixture": Look(OKABE_ITO["bluish_green"], "D", ":"),
    "autoregressive": Look(OKABE_ITO["reddish_purple"], "^", "--"),
    "flow": Look(OKABE_ITO["blue"], "P"),
    "diffusion": Look("#4D4D4D", "v", "-."),
}
DRIVER_LOOKS = {
    "left": Look(OKABE_ITO["blue"], "<"),
    "right": Look(OKABE_ITO["reddish_purple"], ">", "--"),
}
OUTCOME_LOOKS = {
    "reached the goal": Look(OKABE_ITO["bluish_green"], "o"),
    "crashed": Look(OKABE_ITO["black"], "X", "--"),
    "ran out of time": Look("#666666", "s", ":"),
}
