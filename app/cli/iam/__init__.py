"""`crossroot iam`: the management API from the command line, with the token of whoever types.

The other commands work on the store as the operator; these call a server, which asks the policies
of the token's principal.
"""

from __future__ import annotations

import click

from app.cli.iam import answers, machines, people, policies


@click.group("iam")
def command() -> None:
    """Manage your root account through the API, with CROSSROOT_TOKEN.

    Get a token first: export CROSSROOT_TOKEN=$(crossroot login). What it may do is what your
    policies allow; each call is in the audit log.
    """


for each in (
    people.users,
    people.groups,
    machines.service_accounts,
    machines.trust,
    policies.policies,
    answers.simulate,
    answers.explain,
    answers.events,
    answers.whoami,
):
    command.add_command(each)
