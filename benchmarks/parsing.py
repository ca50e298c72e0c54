"""What a DAG file pays for importing the operators, each time that it is parsed."""

from __future__ import annotations

from functools import partial

from benchmarks.harness import Check, Findings, Options, Run, Table, alternately, installed, measure, median

OPERATORS = "this provider's operators"
MODULES = [
    f"airflow_provider_hotmart.operators.{name}" for name in ("club", "events", "products", "sales", "subscriptions")
]
SIDES = {
    OPERATORS: MODULES,
    "… and its sensor": [*MODULES, "airflow_provider_hotmart.sensors.sales"],
    "HTTP provider's operator": ["airflow.providers.http.operators.http"],
    "Airbyte provider's operator": ["airflow.providers.airbyte.operators.airbyte"],
}


def measure_parsing(options: Options) -> Findings:
    """CPU time, modules and memory of the import alone, in a process that has imported ``airflow.sdk``."""

    def parse(modules: list[str]) -> Run:
        return measure(options, {"subject": "imports", "modules": modules})[0]

    sides = {
        name: partial(parse, modules)
        for name, modules in SIDES.items()
        if installed(modules[0].rpartition(".operators.")[0])
    }
    runs = alternately(options, sides)
    cpu = {name: median(found, lambda run: run.cpu) * 1000 for name, found in runs.items()}
    table = Table(
        "DAG files: what importing the operators costs",
        "After `from airflow.sdk import DAG`, which every DAG file pays for.",
        ("", "CPU ms", "wall ms", "modules", "memory MB"),
        [
            (
                name,
                f"{cpu[name]:.0f}",
                f"{median(found, lambda run: run.wall) * 1000:.0f}",
                f"{median(found, lambda run: run.result['modules']):.0f}",
                f"{median(found, lambda run: run.peak_memory - run.start_memory):.1f}",
            )
            for name, found in runs.items()
        ],
    )
    checks = [
        Check(
            f"import of {OPERATORS} beside {name}",
            "not slower",
            f"{cpu[OPERATORS] / ms:.2f} times",
            cpu[OPERATORS] <= ms,
        )
        for name, ms in cpu.items()
        if "provider's operator" in name and name != OPERATORS
    ]
    return Findings([table], checks)
