"""The estimators against Jacobians that are written down."""

from math import sqrt

import pytest
import torch

from forensic_cli.features.traces import Estimate, coordinate, derivatives, differences, estimate, quotients, signs

SHAPE = (2, 3, 4)
SIZE = 24
DRAWS = 400


def by_differences(field, points, ways):
    return differences(field, points, ways, 0.1)


PRODUCTS = pytest.mark.parametrize("products", [by_differences, derivatives])


def gaussian(mean, variance):
    """The score of a normal distribution with independent coordinates."""
    return lambda points: -(points - mean) / variance


def linear(seed=0):
    """A matrix that is not symmetric, and z -> A z."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64) - torch.diag(torch.arange(SIZE).double())
    return matrix, lambda points: (points.flatten(1) @ matrix.T).view_as(points)


def drawn(field, make, products, count, points=None):
    """`count` draws at one point, all in one call."""
    ways = torch.stack([make(SHAPE, seed) for seed in range(count)]).double()
    at = torch.full((count, *SHAPE), 0.3, dtype=torch.float64) if points is None else points
    return quotients(ways, products(field, at, ways))


@PRODUCTS
@pytest.mark.parametrize("make", [coordinate, signs])
def test_each_draw_is_exact_for_an_isotropic_gaussian(make, products):
    field = gaussian(torch.linspace(-1, 1, SIZE).double().view(SHAPE), 0.25)
    assert drawn(field, make, products, 5) == pytest.approx([-4.0] * 5, rel=1e-9)


@PRODUCTS
def test_random_signs_see_the_whole_diagonal(products):
    variance = torch.linspace(0.5, 3, SIZE).double().view(SHAPE)
    exact = float((-1 / variance).mean())
    assert drawn(gaussian(0.0, variance), signs, products, 3) == pytest.approx([exact] * 3, rel=1e-9)


@PRODUCTS
def test_a_coordinate_sees_its_own_entry(products):
    matrix, field = linear()
    places = [int(coordinate(SHAPE, seed).flatten().argmax()) for seed in range(8)]
    assert len(set(places)) > 4
    assert drawn(field, coordinate, products, 8) == pytest.approx([float(matrix[one, one]) for one in places])


@PRODUCTS
def test_random_signs_scatter_as_theory_says(products):
    """2 sum_{i != j} S_ij^2 is the variance of one draw of v' A v."""
    matrix, field = linear()
    symmetric = (matrix + matrix.T) / 2
    variance = 2 * float((symmetric - symmetric.diag().diag()).square().sum()) / SIZE**2
    found = estimate(drawn(field, signs, products, DRAWS))
    assert abs(found.value - float(matrix.trace()) / SIZE) < 4 * sqrt(variance / DRAWS)
    assert found.error == pytest.approx(sqrt(variance / DRAWS), rel=0.2)


@PRODUCTS
def test_coordinates_scatter_as_the_diagonal_does(products):
    matrix, field = linear()
    variance = float(matrix.diag().var(correction=0))
    found = estimate(drawn(field, coordinate, products, DRAWS))
    assert abs(found.value - float(matrix.trace()) / SIZE) < 4 * sqrt(variance / DRAWS)
    assert found.error == pytest.approx(sqrt(variance / DRAWS), rel=0.2)


def test_of_a_curved_field_exact_derivatives_are_exact_and_differences_almost():
    points = torch.linspace(-1, 1, 3 * SIZE).double().view(3, *SHAPE)
    ways = torch.stack([signs(SHAPE, seed) for seed in range(3)]).double()
    exact = (1 - torch.tanh(points) ** 2).flatten(1).mean(dim=1).tolist()
    assert quotients(ways, derivatives(torch.tanh, points, ways)) == pytest.approx(exact, rel=1e-12)
    near = quotients(ways, differences(torch.tanh, points, ways, 0.01))
    assert near == pytest.approx(exact, rel=1e-3)
    assert near != pytest.approx(exact, rel=1e-9)


def test_exact_derivatives_pass_through_attention():
    generator = torch.Generator().manual_seed(0)
    points, ways = (torch.randn(2, 4, 8, 16, generator=generator) for _ in range(2))

    def attention(x):
        return torch.nn.functional.scaled_dot_product_attention(x, x, x)

    with torch.inference_mode():
        exact = derivatives(attention, points, ways)
        near = differences(attention, points.double(), ways.double(), 1e-4)
    torch.testing.assert_close(exact.double(), near, rtol=1e-4, atol=1e-5)


def test_directions_belong_to_their_seed():
    for make in (coordinate, signs):
        assert torch.equal(make(SHAPE, 5), make(SHAPE, 5))
        assert any(not torch.equal(make(SHAPE, 5), make(SHAPE, seed)) for seed in range(3))
    assert set(signs((1000,), 0).tolist()) == {-1.0, 1.0}
    assert sorted(coordinate(SHAPE, 0).flatten().tolist()) == [0.0] * (SIZE - 1) + [1.0]


def test_the_standard_error_of_a_mean():
    assert estimate([1.0, 2.0, 3.0, 6.0]) == Estimate(3.0, pytest.approx(sqrt(14 / 3 / 4)))
    assert estimate([2.0]) == Estimate(2.0, None)
