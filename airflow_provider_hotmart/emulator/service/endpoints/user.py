"""The endpoint of the account itself."""

from __future__ import annotations

from airflow_provider_hotmart.emulator.service.listing import Listing, Request


def me(request: Request) -> Listing:
    """
    Answer the profile of the account.

    :param request: the call
    """
    return Listing([request.world.profile()], dict, form="object")
