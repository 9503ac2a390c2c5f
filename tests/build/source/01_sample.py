# ---
# jupyter:
#   imitation_lab:
#     title: A sample notebook
#     answers: []
# ---

# %% [markdown]
# # A sample notebook
#
# It holds one of everything that the dialect knows, and text that is hard to carry through.

# %%
# ruff: noqa: N801, N802, N803, RET504
# copy the weights: a comment that must not become the shell command "copy"
import torch

# %% [markdown] question="best_constant" points=[1, 0.5, 2]
# ### Question 1.1 · The best constant
#
# Complete `best_constant`.


# %% tags=["solution"]
def best_constant(actions):
    """Return the constant action with the smallest mean squared error to `actions`."""
    return actions.mean(dim=0)  # SOLUTION


# %% tags=["wrong"]
def best_constant__averages_every_axis(actions):
    """Averages over the action axis too: one number for every dimension."""
    return actions.mean()


def best_constant__takes_the_median(actions):
    """The median minimises the absolute error, not the squared error."""
    return actions.median(dim=0).values


# %% tags=["right"]
def _total(actions):
    return sum(actions)


def best_constant__by_sum(actions):
    return _total(actions) / len(actions)


# %% tags=["public"]
def test_best_constant_keeps_the_action_axis(best_constant):
    """One value per "action dimension" – not one for all."""
    import torch

    from imitation_lab.testing import check_answered, check_shape

    constant = best_constant(torch.zeros(5, 2))
    check_answered(constant, "best_constant")
    check_shape(constant, (2,), "average over the batch axis only.")


def test_best_constant_leaves_a_constant_alone(best_constant):
    r"""The mean of \theta, \theta, \theta is \theta.

    A second line, with 'single' and "double" quotes.
    """
    import torch

    from imitation_lab.testing import check_answered

    constant = best_constant(torch.ones(3, 2))
    check_answered(constant, "best_constant")
    message = f"\"ones\" became {constant[0]}:\n  a 'second' line, a back\\slash, a × and a 🦦; replace it."
    assert bool((constant == 1).all()), message


# %% tags=["hidden"]
def test_best_constant_minimises_the_squared_error(best_constant):
    """No nearby constant has a smaller mean squared error."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    actions = torch.randn(17, 3, generator=fresh_generator())
    constant = best_constant(actions)
    check_answered(constant, "best_constant")
    check_close(constant, actions.sum(dim=0) / 17, "the squared error is smallest at the mean.")


# %% [markdown] question="Scale" points=[1, 1]
# ### Question 1.2 · A class
#
# Complete `Scale`.


# %% tags=["solution"]
class Scale(torch.nn.Module):
    """Multiplies by a learnt factor that begins at `factor`."""

    def __init__(self, factor):
        super().__init__()
        # BEGIN SOLUTION NO PROMPT
        start = torch.tensor(float(factor))
        self.factor = torch.nn.Parameter(start)
        # END SOLUTION

    def forward(self, values):
        # BEGIN SOLUTION
        scaled = self.factor * values
        return scaled
        # END SOLUTION


# %% tags=["public"]
def test_Scale_scales(Scale):
    """Twice one is two."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    scaled = Scale(2)(torch.ones(3))
    check_answered(scaled, "Scale.forward")
    check_close(scaled, [2.0, 2.0, 2.0], "multiply by the factor.")


# %% tags=["hidden"]
def test_Scale_learns(Scale, best_constant):
    """The factor gets a gradient."""
    import torch

    from imitation_lab.testing import check_answered

    scaled = Scale(2)(best_constant(torch.ones(3, 1)))
    check_answered(scaled, "Scale.forward")
    assert scaled.requires_grad, "make the factor a torch.nn.Parameter."


# %% tags=["wrong"]
class Scale__never_learns(torch.nn.Module):
    """Keeps the factor as a number, which no optimiser finds."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, values):
        return self.factor * values


# %% [markdown] question="is_it_luck" points=[]
# ### Question 1.3 · In your own words
#
# When does the mean get away with it?

# %% [markdown] tags=["solution"]
# When the two modes lie so close together that the mean between them is still a good action.

# %% [markdown] stretch="spread"
# ### Stretch goal · How far apart?
#
# How far do actions lie from their mean?


# %% tags=["solution"]
def spread(actions):
    """Return the standard deviation of every action dimension."""
    return actions.std(dim=0, correction=0)  # SOLUTION


# %% tags=["solution"]
# Try it on actions of your own.
# BEGIN SOLUTION
print(spread(torch.tensor([[0.0], [2.0]])))
raise RuntimeError("graders leave stretch goals out")
# END SOLUTION

# %% [markdown] tags=["solution"]
# Two actions at zero and two lie one unit from their mean. Half of them lie above it, half below.

# %% tags=["train"]
raise RuntimeError("a cell that trains is skipped")

# %%
print(best_constant(torch.ones(2, 2)))
