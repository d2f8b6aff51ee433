"""Synthesizes prod with cdk-nag's packs AwsSolutions and Serverless: `python -m tests.templates.nag OUTDIR`.

Findings are collected before anything is acknowledged, so that OUTDIR/nag.json can say which acknowledgements are
needed; then again with the acknowledgements, and at last as the plugins of the synthesis that they are meant to be.
"""

import json
import sys
from pathlib import Path
from typing import Any

import jsii_node

jsii_node.choose()

import aws_cdk as cdk  # noqa: E402
from cdk_nag import AwsSolutionsChecks, ServerlessChecks  # noqa: E402

from stacks import nag  # noqa: E402
from tests.kit.synthesis import DELIVERED, HEARD  # noqa: E402


def main(out: Path) -> None:
    acknowledged: list[tuple[Any, dict[str, str]]] = []
    acknowledge = nag.acknowledge
    nag.acknowledge = lambda construct, reasons: acknowledged.append((construct, dict(reasons)))
    import app as product  # now, because the stacks take `acknowledge` from the module when they are imported

    app = product.make(str(out), env="prod", environments={"prod": {"alarms": HEARD}}, delivery=DELIVERED)
    product.build(app)
    product.build_delivery(app)
    packs = [AwsSolutionsChecks(app, verbose=True), ServerlessChecks(app, verbose=True)]
    findings = [
        {"rule": violation.rule_name, "path": resource.construct_path, "says": violation.description}
        for pack in packs
        for violation in pack.validate_scope(app).violations
        for resource in violation.violating_resources
    ]
    for construct, reasons in acknowledged:
        acknowledge(construct, reasons)
    left = [violation.rule_name for pack in packs for violation in pack.validate_scope(app).violations]
    if not left:
        cdk.Validations.of(app).add_plugins(*packs)
    app.synth()
    out.mkdir(parents=True, exist_ok=True)
    (out / "nag.json").write_text(
        json.dumps(
            {
                "findings": findings,
                "left": left,
                "acknowledged": [
                    {"rule": rule, "path": construct.node.path, "reason": reason}
                    for construct, reasons in acknowledged
                    for rule, reason in reasons.items()
                ],
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
