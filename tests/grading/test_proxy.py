"""A function across the wall behaves as the same function in-process."""

import pytest
import torch

from autograder.proxy import StudentClass, StudentError, StudentFunction
from autograder.session import WorkerLostError


@pytest.fixture
def across(session):
    """Return a function that defines source on both sides, and gives both functions."""

    def across(source, name="f"):
        here: dict = {"torch": torch}
        exec(source, here)
        session.run("import torch\n" + source, "cell", [name])
        return here[name], StudentFunction(name, session)

    return across


def test_nested_results_are_equal(across):
    here, there = across("def f(x, *, k): return {'a': (x * k, [x.shape[0], None]), 'b': 'text'}")
    x = torch.arange(3.0)
    first, second = here(x, k=2), there(x, k=2)
    assert torch.equal(first["a"][0], second["a"][0])
    assert first["a"][1] == second["a"][1] and second["b"] == "text"


def test_gradients_reach_the_leaves_and_are_equal(across):
    here, there = across("def f(x, y): return (x * y).sum() + x.square().sum()")
    x, y = torch.randn(3, requires_grad=True), torch.randn(3, requires_grad=True)
    expected = torch.autograd.grad(here(x, y), (x, y))
    result = there(x, y)
    assert result.requires_grad
    result.backward()
    torch.testing.assert_close((x.grad, y.grad), expected)


def test_gradients_flow_through_graphs_on_both_sides(across):
    here, there = across("def f(x): return x.sin(), {'double': 2 * x}")

    def loss(f, x):
        first, second = f(x.exp())
        return (first.cos() * second["double"]).sum()

    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(loss(here, x), x)
    (given,) = torch.autograd.grad(loss(there, x), x)
    torch.testing.assert_close(given, expected)
    assert torch.autograd.gradcheck(lambda x: loss(there, x), (x,))


def test_gradients_reach_the_parameters_of_modules_and_closures(across):
    _, there = across("def f(policy, x): return policy(x).square().mean()")
    layer, scale = torch.nn.Linear(3, 2), torch.tensor(2.0, requires_grad=True)
    x = torch.randn(5, 3)
    expected = torch.autograd.grad(
        (scale * layer(x)).square().mean(), (layer.weight, layer.bias, scale)
    )
    there(lambda x: scale * layer(x), x).backward()
    torch.testing.assert_close((layer.weight.grad, layer.bias.grad, scale.grad), expected)


def test_an_argument_that_lost_its_shape_is_a_mistake_and_not_the_end(across):
    _, there = across("def f(x): return x.unsqueeze_(1).sum()")
    x = torch.ones(3)
    with pytest.raises(ValueError, match=r"of shape \(3,\) was changed in place to \(3, 1\)"):
        there(x)
    assert x.shape == (3,)
    _, fine = across("def f(x): return x.unsqueeze(1).sum()")
    assert fine(x) == 3


def test_a_second_backward_adds_up_as_in_process(across):
    _, there = across("def f(x): return (3 * x).sum()")
    x = torch.ones(2, requires_grad=True)
    result = there(x)
    result.backward(retain_graph=True)
    result.backward()
    assert x.grad.tolist() == [6, 6]


def test_what_has_no_gradient_in_process_has_none_here(across):
    _, detached = across("def f(x): return x.detach() * 2")
    x = torch.ones(2, requires_grad=True)
    assert not detached(x).requires_grad
    _, plain = across("def f(x): return x * 2")
    with torch.no_grad():
        assert not plain(x).requires_grad
    assert not plain(torch.ones(2)).requires_grad


def test_an_input_without_influence_is_an_error_for_grad_and_none_for_backward(across):
    _, there = across("def f(x, y): return x.sum()")
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    there(x, y).backward()
    assert y.grad is None
    with pytest.raises(RuntimeError, match="not have been used"):
        torch.autograd.grad(there(x, y), y)


def test_what_a_function_writes_into_its_arguments_is_written_here(across):
    _, there = across("def f(x):\n    x.add_(1)\n    return x")
    x = torch.zeros(3)
    there(x)
    assert x.tolist() == [1, 1, 1]


def test_one_tensor_given_twice_is_one_tensor_there(across):
    _, there = across("def f(x, y): return x is y")
    x = torch.zeros(3)
    assert there(x, x) is True
    assert there(x, x.clone()) is False


def test_every_dtype_and_a_bfloat16_gradient_cross(across):
    _, there = across("def f(x): return x * 2")
    x = torch.ones(2, dtype=torch.bfloat16, requires_grad=True)
    result = there(x)
    result.sum().backward()
    assert result.dtype == x.grad.dtype == torch.bfloat16


def test_equal_seeds_give_equal_draws_and_one_generator_goes_on(across):
    _, there = across("def f(g): return torch.rand(4, generator=g)")
    first, same = (there(torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, same)
    generator = torch.Generator().manual_seed(1)
    assert torch.equal(there(generator), first)
    assert not torch.equal(there(generator), first)


def test_a_function_cannot_steer_the_judges_generator(across):
    streams = []
    for source in ("def f(g): pass", "def f(g): torch.rand(999, generator=g); g.manual_seed(0)"):
        _, there = across(source)
        generator = torch.Generator().manual_seed(5)
        there(generator)
        streams.append(torch.rand(3, generator=generator))
    assert torch.equal(*streams)


def test_one_answer_can_be_given_to_another(across, session):
    _, double = across("def double(x): return 2 * x", "double")
    _, apply = across("def apply(f, x): return f(x) + 1", "apply")
    assert apply(double, 3) == 7
    assert apply(lambda x: -x, 3) == -2


@pytest.mark.parametrize("kind", [ValueError, KeyError, ZeroDivisionError, AssertionError])
def test_an_exception_is_the_students_and_of_the_builtin_class(across, kind):
    _, there = across(f"def f(): raise {kind.__name__}('my words')")
    with pytest.raises(kind) as error:
        there()
    assert isinstance(error.value, StudentError)
    assert str(error.value) in (f"{kind.__name__}: my words", f"{kind.__name__}: 'my words'")


@pytest.mark.parametrize("raised", ["SystemExit(3)", "KeyboardInterrupt()", "BaseException('x')"])
def test_an_exception_that_ends_programs_is_an_ordinary_one_here(across, raised):
    _, there = across(f"def f(): raise {raised}")
    with pytest.raises(StudentError):
        there()


def test_an_exception_in_a_gradient_is_of_the_builtin_class_too(across):
    source = """
class Unfinished(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.clone()
    @staticmethod
    def backward(ctx, g): raise NotImplementedError('my words')
def f(x): return Unfinished.apply(x).sum()
"""
    for f in across(source):
        with pytest.raises(NotImplementedError, match="my words"):
            f(torch.ones(2, requires_grad=True)).backward()


def test_an_exception_whose_text_cannot_be_read_does_no_harm(across):
    source = """
class Nasty(Exception):
    def __str__(self): raise SystemExit
def f(): raise Nasty
"""
    _, there = across(source)
    with pytest.raises(StudentError, match="could not be read"):
        there()


@pytest.mark.parametrize(
    "returned", ["object()", "(i for i in [1])", "{1, 2}", "torch.zeros(10 << 20)", "[[]] * 10**6"]
)
def test_a_result_that_cannot_be_read_is_the_students_type_error(across, returned):
    _, there = across(f"def f(): return {returned}")
    with pytest.raises(TypeError, match="f returned"):
        there()


def test_a_tensor_subclass_comes_out_as_its_numbers(across):
    source = """
class Liar(torch.Tensor):
    def __eq__(self, other): return torch.ones(2, dtype=torch.bool)
    @property
    def shape(self): return torch.Size([2])
def f(): return torch.zeros(3).as_subclass(Liar)
"""
    _, there = across(source)
    result = there()
    assert type(result) is torch.Tensor and tuple(result.shape) == (3,)


def test_a_gradient_of_a_lying_shape_ends_the_worker(across):
    source = """
class Lie(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.clone()
    @staticmethod
    def backward(ctx, g): return g
def f(x):
    torch.autograd.grad = lambda *a, **k: (torch.ones(7),)
    return Lie.apply(x)
"""
    _, there = across(source)
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(WorkerLostError):
        there(x).sum().backward()


def test_a_function_that_dies_is_lost_and_a_test_can_go_on_elsewhere(across, session):
    _, there = across("import os\ndef f(): os._exit(0)")
    session.begin(0)
    with pytest.raises(WorkerLostError):
        there()
    session.finish()
    session.begin(0)
    with pytest.raises(WorkerLostError):
        there()
    session.finish()
    assert session.alive


COUNTER = """
class Counter:
    def __init__(self, start, step=1):
        self.total = start
        self.step = step
        self._secret = 7
    def add(self, x, times=1):
        if times < 0:
            raise ValueError("times must not be negative")
        self.total = self.total + times * self.step * x
        return self.total
    def draw(self, generator):
        return torch.rand(2, generator=generator)
    def itself(self):
        return self
def f(counter, x):
    return counter.add(x)
"""


@pytest.fixture
def counters(session):
    """Return the class as it is here, and as it is over there."""
    here: dict = {"torch": torch}
    exec(COUNTER, here)
    session.run("import torch\n" + COUNTER, "cell", ["Counter", "f"])
    assert session.look(["Counter", "f"]) == {"Counter": ["class", False], "f": ["function", False]}
    return here["Counter"], StudentClass("Counter", session), StudentFunction("f", session)


def test_an_object_remembers_between_calls_as_in_process(counters):
    here, there, _ = counters
    x = torch.tensor([1.0, 2.0])
    for counter in (here(x, step=2), there(x, step=2)):
        counter.add(x)
        assert counter.add(x, times=3).tolist() == [9.0, 18.0]
        assert counter.total.tolist() == [9.0, 18.0] and counter.step == 2


def test_objects_of_one_class_are_apart(counters):
    _, there, _ = counters
    first, second = there(torch.zeros(1)), there(torch.ones(1))
    first.add(torch.ones(1), times=5)
    assert (first.total.item(), second.total.item()) == (5, 1)


def test_gradients_flow_through_methods_to_what_went_in(counters):
    _, there, _ = counters
    start, x = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    there(start).add(x, times=4).sum().backward()
    assert x.grad.tolist() == [4, 4]


def test_an_object_can_be_given_to_a_function_of_the_submission(counters):
    _, there, add = counters
    counter = there(torch.zeros(1))
    assert add(counter, torch.ones(1)).item() == 1
    assert counter.total.item() == 1


def test_a_method_draws_from_the_tests_generator(counters):
    _, there, _ = counters
    counter = there(0)
    one, same, other = (
        counter.draw(torch.Generator().manual_seed(seed)).tolist() for seed in (1, 1, 2)
    )
    assert one == same != other


def test_errors_of_methods_and_of_making_arrive_as_what_they_are(counters):
    _, there, _ = counters
    with pytest.raises(ValueError, match="times must not be negative"):
        there(0).add(1, times=-1)
    with pytest.raises(TypeError, match="start"):
        there()


def test_an_attribute_that_is_missing_private_or_unreadable_is_not_there(counters):
    _, there, _ = counters
    counter = there(0)
    with pytest.raises(AttributeError, match="nowhere"):
        _ = counter.nowhere
    with pytest.raises(AttributeError):
        _ = counter._secret
    with pytest.raises(TypeError, match="Counter"):
        counter.itself()


def test_a_test_cannot_set_what_would_not_arrive(counters):
    _, there, _ = counters
    with pytest.raises(AttributeError, match="cannot be set from a test"):
        there(0).total = 3


@pytest.mark.parametrize(
    "lie",
    [
        *("['value']", "['method', 1]", "['else', 1]", "'method'", "{'a': 1}", "[]"),
        *("[['value'], 1]", "[worker.np.zeros(2)]"),
    ],
)
def test_a_worker_that_lies_about_an_attribute_is_given_up(counters, session, lie):
    _, there, _ = counters
    counter = there(0)
    session.run(
        "import autograder.inside.worker as worker\n"
        f"worker.Server._do_attribute = lambda *_: {lie}",
        "hostile",
        [],
    )
    with pytest.raises(WorkerLostError):
        _ = counter.total
    assert not session.alive
