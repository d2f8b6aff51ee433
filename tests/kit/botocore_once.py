"""Lets botocore work out once for the process what it works out anew for every client, and partly for every request.

Tests make some thousand clients, most of them for a function's next process, and many more requests. All that is shared
is read-only, or a note of what a pure function gave.
"""

from __future__ import annotations

import functools
from typing import Any

import botocore.regions
import botocore.session
import botocore.useragent
from botocore.client import ClientCreator
from botocore.endpoint_provider import EndpointProvider
from botocore.hooks import EventAliaser


class _Aliaser(EventAliaser):
    """Event names by the aliases of botocore, which are the same in all sessions."""

    _known: dict[str, str] = {}  # noqa: RUF012 - shared on purpose

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._alias_name_cache = self._known


def share() -> None:
    """Share, from now on, service models (megabytes of JSON) with their operations and the methods that clients have of
    them, endpoint rules, and the names of events and agents.
    """
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    botocore.session.EventAliaser = _Aliaser
    botocore.useragent.sanitize_user_agent_string_component = functools.cache(
        botocore.useragent.sanitize_user_agent_string_component
    )
    botocore.regions.EndpointProvider = _provider_of
    ClientCreator._load_service_model = _model_of
    ClientCreator._create_methods = _methods_of


_providers: dict[tuple[int, int, frozenset[str]], tuple[Any, Any, EndpointProvider]] = {}


def _provider_of(*, ruleset_data: Any, partition_data: Any, excluded_params: set[str] | None) -> EndpointProvider:
    """The provider for these rules, which the loader gives as the same objects each time.

    They are kept with it, so that no other object can come to have their id.
    """
    key = (id(ruleset_data), id(partition_data), frozenset(excluded_params or ()))
    if key not in _providers:
        made = EndpointProvider(
            ruleset_data=ruleset_data, partition_data=partition_data, excluded_params=excluded_params
        )
        _providers[key] = (ruleset_data, partition_data, made)
    return _providers[key][2]


_load_model, _create_methods = ClientCreator._load_service_model, ClientCreator._create_methods
_models: dict[tuple[str, str | None], Any] = {}
_methods: dict[str, dict[str, Any]] = {}


def _model_of(creator: ClientCreator, service_name: str, api_version: str | None = None) -> Any:
    """The model of a service, which keeps what it has once worked out of its operations and shapes."""
    key = (service_name, api_version)
    if key not in _models:
        _models[key] = _load_model(creator, service_name, api_version)
    return _models[key]


def _methods_of(creator: ClientCreator, service_model: Any) -> dict[str, Any]:
    """The methods of a service's clients, by name; the caller adds to them."""
    name = service_model.service_name
    if name not in _methods:
        _methods[name] = _create_methods(creator, service_model)
    return dict(_methods[name])
