"""An endpoint is added as CONTRIBUTING says, to a copy of this checkout, and nothing else has to be touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.test_operators import MAX_LINES, code_lines

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_hotmart/"
COPIED = (PACKAGE, "docs", "tests", ".airflow-registry.yaml", "pyproject.toml", "README.md", "CONTRIBUTING.md")
#: What the package gets for an endpoint that Hotmart does not have: where, the line that it is put before (none: at the
#: end), and what.
ADDED = [
    # 1. A row of the table
    (
        "api/endpoints/products.py",
        "",
        """
PRODUCT_REVIEWS = Endpoint(
    # Source: made up.
    name="product_reviews",
    path="/products/api/v1/reviews",
    noun="reviews",
    identity=("id",),
    columns=columns(
        "id:integer rating:integer created_at:moment product.id:integer product.name buyer.ucode? buyer.email!?"
    ),
    filters=(Filter("product_id", "id", several=True), Filter("buyer_email", personal=True)),
)
""",
    ),
    # 2. A class
    (
        "operators/products.py",
        "",
        '''

class HotmartListProductReviewsOperator(HotmartListOperator):
    """
    List what buyers think of products. Records hold personal data.

    Source: https://developers.hotmart.com/docs/, made up.

    :param product_id: one product ID or several (templated).
    :param buyer_email: the buyer's e-mail address (templated).
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = products.PRODUCT_REVIEWS

    def __init__(
        self,
        *,
        product_id: int | str | Sequence[int | str] | None = None,
        buyer_email: str | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)
''',
    ),
    # 3. A method of the hook
    (
        "hooks/hotmart.py",
        "    def _iterate(",
        '''    def iter_product_reviews(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield what buyers think of products."""
        return self._iterate(products.PRODUCT_REVIEWS, **filters)

''',
    ),
    # 4. A handler of the emulator, and the true rows
    (
        "emulator/account/product_rows.py",
        "",
        '''

def reviews(world: Any) -> list[dict[str, Any]]:
    """What buyers think: one row for each sale of a person with an address."""
    return [
        {
            "id": 7_000_000 + sale.index,
            "rating": 1 + sale.index % 5,
            "created_at": ms(sale.ordered_at),
            "product": sale.product,
            "buyer": {key: sale.buyer[key] for key in ("ucode", "email") if sale.buyer.get(key)},
        }
        for sale in world.sales
    ]
''',
    ),
    (
        "emulator/service/endpoints/products.py",
        "",
        '''

def reviews(request: Request) -> Listing:
    """Answer reviews."""
    ids = read.numbers(request.params, "product_id", request.quirks.several_values)
    email = read.one(request.params, "buyer_email")
    found = product_rows.reviews(request.world)
    fitting = [
        one
        for one in found
        if (ids is None or one["product"]["id"] in ids) and email in (None, one["buyer"].get("email"))
    ]
    return Listing(fitting, dict)
''',
    ),
    (
        "emulator/service/routes.py",
        '            Route(f"{_SALES}/users"',
        """            Route(
                f"{_PRODUCTS}/reviews", ("product_id", "buyer_email", "select", *PAGING), products.reviews
            ),
""",
    ),
    (
        "emulator/account/truth_rows.py",
        '            "sales/users"',
        '            "reviews": lambda _: product_rows.reviews(world),\n',
    ),
]
#: What stands beside the package.
DOCUMENTED = [
    # 5. Fields on a page, and the operator in the reference and in the registry
    ("docs/catalogue.md", "", "\n### Reviews\n\n```{fields} product_reviews\n```\n"),
    (
        "docs/reference/operators.md",
        ".. autoclass:: airflow_provider_hotmart.operators.sales.HotmartListSalesCommissionsOperator",
        ".. autoclass:: airflow_provider_hotmart.operators.products.HotmartListProductReviewsOperator\n\n",
    ),
    (
        ".airflow-registry.yaml",
        "  - module: airflow_provider_hotmart.operators.sales.HotmartListSalesCommissionsOperator",
        """  - module: airflow_provider_hotmart.operators.products.HotmartListProductReviewsOperator
    description: List what buyers think of products
""",
    ),
    # 6. An example of the answer
    (
        "tests/unit/api/test_examples_of_answers.py",
        '    "product_offers": """',
        '''    "product_reviews": """
{"items": [{"id": 7000001, "rating": 5, "created_at": 1767225600000,
  "product": {"id": 4060001, "name": "Curso de Violão"},
  "buyer": {"ucode": "00000000-0000-4000-8000-000000000001", "email": "buyer@example.com"}}],
 "page_info": {"results_per_page": 1}}
""",
''',
    ),
]
#: What tries every row of the table, and what sees that none is left out.
TESTS = (
    "tests/unit/test_operators.py",
    "tests/unit/api",
    "tests/integration/test_endpoints.py",
    "tests/integration/test_endpoints_operators.py",
    "tests/integration/test_formats.py",
    "tests/integration/test_personal_data.py",
    "tests/docs/test_fields.py",
    "tests/release/test_distribution.py",
)
CHOSEN = "product_reviews or every_endpoint or no_other_methods or the_registry_file"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout with one more endpoint."""
    folder = tmp_path_factory.mktemp("one-more")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    for name, before, text in [(PACKAGE + name, *rest) for name, *rest in ADDED] + DOCUMENTED:
        path = folder / name
        whole = path.read_text(encoding="utf-8")
        place = whole.index(f"\n{before}") + 1 if before else len(whole)
        path.write_text(whole[:place] + text + whole[place:], encoding="utf-8")
    return folder


@pytest.mark.timeout(900)
def test_it_passes_all_that_every_endpoint_has_to_pass(copy: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-k", CHOSEN, *TESTS],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "SKIPPED" not in run.stdout
    passed = [line for line in run.stdout.splitlines() if " PASSED " in line]
    for name in TESTS[:-2]:
        assert any(line.startswith(name) and "product_reviews" in line for line in passed), name
    for name in TESTS[-2:]:
        assert any(line.startswith(name) for line in passed), name


def test_nothing_else_of_the_package_is_touched_and_few_lines_are_added(copy: Path) -> None:
    package, before = copy / PACKAGE, ROOT / PACKAGE
    files = [path.relative_to(package) for path in package.rglob("*.py")]
    added = {
        name.as_posix(): code_lines(package / name) - code_lines(before / name)
        for name in files
        if (package / name).read_bytes() != (before / name).read_bytes()
    }
    emulated = {name: lines for name, lines in added.items() if name.startswith("emulator/")}
    own = {name: lines for name, lines in added.items() if name not in emulated}
    assert set(own) == {
        "api/endpoints/products.py",
        "hooks/hotmart.py",
        "operators/products.py",
    }
    assert set(emulated) == {
        "emulator/account/product_rows.py",
        "emulator/account/truth_rows.py",
        "emulator/service/endpoints/products.py",
        "emulator/service/routes.py",
    }
    assert sum(own.values()) <= MAX_LINES, own
    assert sum(emulated.values()) <= MAX_LINES, emulated
