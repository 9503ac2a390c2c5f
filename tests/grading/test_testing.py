"""The checks that tests are written with: what passes, what fails, and what a student reads."""

import math

import numpy as np
import pytest
import torch

from imitation_lab.testing import (
    check_answered,
    check_close,
    check_dtype,
    check_finite,
    check_rows_apart,
    check_shape,
    check_standard_normal,
    check_unrelated,
    explain_shapes,
    fresh_generator,
    grading_seed,
)


def draw(generator):
    return torch.rand(4, generator=generator).tolist()


def test_fresh_generators_differ_from_each_other():
    # Equal draws by chance: 4 floats of 24 bits each, 2**-96.
    assert draw(fresh_generator()) != draw(fresh_generator())


def test_grading_seed_fixes_the_sequence_and_its_members_differ():
    with grading_seed(5):
        first = [draw(fresh_generator()), draw(fresh_generator())]
    with grading_seed(5):
        second = [draw(fresh_generator()), draw(fresh_generator())]
    assert first == second
    assert first[0] != first[1]


def test_grading_seeds_differ_and_the_block_ends():
    with grading_seed("a"):
        first = draw(fresh_generator())
    with grading_seed("b"):
        assert draw(fresh_generator()) != first
    with grading_seed("a"):
        pass
    assert draw(fresh_generator()) != first


def test_grading_seed_may_be_nested():
    with grading_seed(1):
        fresh_generator()
        second = draw(fresh_generator())
    with grading_seed(1):
        fresh_generator()
        with grading_seed(2):
            fresh_generator()
        assert draw(fresh_generator()) == second


@pytest.mark.parametrize("blank", [None, ...])
def test_a_blank_answer_is_told_to_replace_the_dots(blank):
    with pytest.raises(AssertionError, match=r"best_constant .*`\.\.\.`"):
        check_answered(blank, "best_constant")


@pytest.mark.parametrize("value", [0, 0.0, False, (), torch.zeros(0)])
def test_falsy_answers_are_answers(value):
    check_answered(value, "f")


@pytest.mark.parametrize("value", [3, 2.5, np.float64(1), np.zeros(()), torch.tensor(1.0)])
def test_a_number_has_the_empty_shape(value):
    check_shape(value, ())


def test_a_wrong_shape_is_told_with_the_hint():
    with pytest.raises(AssertionError) as error:
        check_shape(torch.tensor(1.0), (2,), "average over the batch axis only.")
    assert str(error.value) == "expected shape (2,), got (): average over the batch axis only."


@pytest.mark.parametrize("error", [IndexError, RuntimeError, ValueError])
def test_an_error_of_torch_s_is_told_with_the_shapes_that_went_in(error):
    given = {"means": torch.zeros(4, 3, 2), "actions": torch.zeros(4, 2)}
    with (
        pytest.raises(AssertionError, match=r"log_prob .* means \(4, 3, 2\), actions \(4, 2\)\."),
        explain_shapes("log_prob", **given),
    ):
        raise error("The size of tensor a (4) must match the size of tensor b (3)")


def test_a_check_that_fails_among_the_shapes_keeps_its_words():
    with pytest.raises(AssertionError, match="no gradient"), explain_shapes("log_prob"):
        raise AssertionError("no gradient flows.")


@pytest.mark.parametrize("value", [[1.0], "text", None, ..., {}, np.array("text")])
def test_what_is_no_number_is_named(value):
    with pytest.raises(AssertionError, match="expected"):
        check_shape(value, (1,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_float_dtype_is_close(dtype):
    check_close(torch.tensor([0.5, -2.0], dtype=dtype), [0.5, -2.0])


def test_a_tensor_that_needs_gradients_is_looked_at_as_a_value():
    check_close(torch.ones(2, requires_grad=True), torch.ones(2))


def test_closeness_is_absolute_plus_relative():
    check_close(100.0 + 0.009, 100.0, rtol=1e-4, atol=0)
    with pytest.raises(AssertionError):
        check_close(100.0 + 0.011, 100.0, rtol=1e-4, atol=0)
    check_close(0.009, 0.0, rtol=0, atol=0.01)
    with pytest.raises(AssertionError):
        check_close(0.011, 0.0, rtol=0, atol=0.01)


def test_a_shape_that_would_broadcast_is_refused():
    with pytest.raises(AssertionError, match="shape"):
        check_close(torch.ones(1), torch.ones(3))
    with pytest.raises(AssertionError, match="shape"):
        check_close(1.0, torch.ones(3))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_are_not_close_to_a_number(value):
    with pytest.raises(AssertionError):
        check_close(torch.tensor([value]), [0.0])
    with pytest.raises(AssertionError):
        check_finite(torch.tensor([value, 0.0]))


def test_a_number_is_not_close_to_an_expected_infinity():
    check_close(torch.tensor([-math.inf]), [-math.inf])
    with pytest.raises(AssertionError):
        check_close(torch.tensor([0.0]), [-math.inf])


@pytest.mark.parametrize(
    ("given", "expected", "note"),
    [
        (torch.tensor(12.5), 25.0, "Expected 25, got 12.5."),
        (torch.tensor([1.0, 2.0]), [1.0, -0.123456789], "Expected [1, -0.123457], got [1, 2]."),
        (torch.zeros(5), torch.ones(5), None),
        (torch.zeros(2, 2), torch.ones(2, 2), None),
    ],
)
def test_few_numbers_are_noted_beside_the_message(given, expected, note):
    with pytest.raises(AssertionError) as error:
        check_close(given, expected, "use the mean.")
    assert getattr(error.value, "__notes__", []) == ([note] if note else [])


def test_a_difference_is_sized_without_showing_what_was_expected():
    with pytest.raises(AssertionError) as error:
        check_close(torch.zeros(3), [0.0, 0.0, 7.123456], "use the mean.")
    assert str(error.value) == "1 of 3 values are wrong (off by up to 7.12): use the mean."


def test_complex_numbers_are_refused():
    with pytest.raises(AssertionError, match="real numbers"):
        check_close(torch.zeros(2, dtype=torch.complex64), torch.zeros(2))


def test_dtypes_are_compared_exactly():
    check_dtype(torch.zeros(1, dtype=torch.int64), torch.int64)
    with pytest.raises(AssertionError, match=r"expected torch.int64, got torch.float32: floor"):
        check_dtype(torch.zeros(1), torch.int64, "floor")
    with pytest.raises(AssertionError, match="expected a tensor"):
        check_dtype(1.0, torch.float32)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def standard(generator, rows=8_000):
    return torch.randn(rows, 3, generator=generator)


def test_standard_normal_numbers_pass_every_check(generator):
    for _ in range(20):
        noise = standard(generator)
        check_standard_normal(noise, "hint")
        check_rows_apart(noise, "hint")
        check_unrelated({"fault": (noise, noise.roll(1, dims=1))}, "hint")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda noise: noise + 0.1, "mean should be zero"),
        (lambda noise: 0.9 * noise, "standard deviation should be one"),
        (lambda noise: noise / 1e3 + noise.sign(), "cut off"),
        (lambda noise: 0.96 * noise.round(), "hint"),
    ],
)
def test_noise_of_another_distribution_is_told_what_is_off(generator, change, message):
    with pytest.raises(AssertionError, match=message):
        check_standard_normal(change(standard(generator)), "hint")


@pytest.mark.parametrize("repeats", [2, 3, 5])
def test_rows_that_come_again_are_found_however_far_apart(generator, repeats):
    noise = standard(generator, 8_000 // repeats).repeat(repeats, 1)
    with pytest.raises(AssertionError, match="hint"):
        check_rows_apart(noise, "hint")


def test_a_mild_relation_between_two_quantities_is_found(generator):
    noise, other = standard(generator), standard(generator)
    mixed = 0.15 * noise + (1 - 0.15**2) ** 0.5 * other
    with pytest.raises(AssertionError, match="they are related: hint"):
        check_unrelated({"they are related": (noise, mixed)}, "hint")
