"""
Events of assets in Airflow's own database, each delivery once.

Everything that touches Airflow's internals for the receiver is here: no public interface lets a plugin of the API
server add an event of an asset. It does what the public route ``POST /api/v2/assets/events`` does, in the same words in
Airflow 3.0 to 3.3: ``asset_manager.register_asset_change(asset=AssetModel, extra=…, session=…)``, in a session of
``create_session``, which commits at its end. What 3.3 alone knows (``source_is_api``) falls into ``**kwargs`` before.
Airflow 2 has none of it, and nothing there imports this module.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.assets.manager import asset_manager
from airflow.models.asset import AssetActive, AssetDagRunQueue, AssetEvent, AssetModel
from airflow.utils.session import create_session
from sqlalchemy import exc, insert, select, update

from airflow_provider_hotmart.webhooks.delivery import Delivery
from airflow_provider_hotmart.webhooks.seen import MAX_EVENTS, Seen, asset_uri

#: Seconds for which an asset is not looked up again.
LIFETIME = 30.0


class AssetEvents:
    """
    Add deliveries to Airflow's assets.

    A delivery is known where the events of the connection's asset in the last days have it. They are read, and the new
    one is added, under a lock of the asset's row, which all API servers share: so it is added once.
    """

    def __init__(self) -> None:
        #: By connection.
        self._seen: dict[str, Seen] = {}
        #: Ids and names of assets by URI, and when they are looked up again, on the monotonic clock.
        self._assets: dict[str, tuple[int, str, float]] = {}

    def store(self, conn_id: str, delivery: Delivery) -> bool:
        """
        Add an event to the asset of the connection, and to that of the kind of event.

        :param conn_id: whose webhook it is.
        :return: whether it was new; both events are in the database then.
        """
        seen = self._seen.setdefault(conn_id, Seen())
        # Threads of this process need not each hold a session to wait for the row.
        with seen.lock:
            uris = (asset_uri(conn_id), asset_uri(conn_id, delivery.event))
            names = {uri: self._find(uri) for uri in uris}
            with create_session() as session:
                asset_id, _ = names[uris[0]]
                if not _lock(session, asset_id):
                    self._assets.clear()
                    raise LookupError(f"asset {uris[0]} is gone")
                _read(session, asset_id, seen)
                if seen.knows(delivery.extra):
                    return False
                for uri, (_, name) in names.items():
                    # It reads name and URI of what it is given, and looks the asset up by them.
                    event = asset_manager.register_asset_change(
                        asset=AssetModel(name=name, uri=uri), extra=delivery.extra, source_is_api=True, session=session
                    )
                    if event is None:
                        self._assets.clear()
                        raise LookupError(f"asset {uri} is gone")
                _queue_anew(session, [asset_id for asset_id, _ in names.values()])
            return True

    def _find(self, uri: str) -> tuple[int, str]:
        """Find an asset, or add it; a DAG may name it otherwise at any time, so it is looked up now and then."""
        asset_id, name, valid_until = self._assets.get(uri, (0, "", 0.0))
        if time.monotonic() >= valid_until:
            asset_id, name = _register(uri)
            self._assets[uri] = (asset_id, name, time.monotonic() + LIFETIME)
        return asset_id, name


def _register(uri: str) -> tuple[int, str]:
    """
    Find an asset, or add it: one that no DAG uses is not in the database, or in no use.

    Whether it is in use is decided by the scheduler, which goes by the DAGs; events are kept all the same.

    :return: its id and name.
    """
    while True:
        with create_session() as session:
            found = session.execute(
                select(AssetModel.id, AssetModel.name)
                .outerjoin(AssetActive, (AssetActive.name == AssetModel.name) & (AssetActive.uri == AssetModel.uri))
                .where(AssetModel.uri == uri)
                # The one in use first: an asset may have been renamed.
                .order_by(AssetActive.uri.is_(None), AssetModel.id)
                .limit(1)
            ).first()
        if found is not None:
            return int(found.id), str(found.name)
        # Another API server adds it at the same moment, or a DAG that uses it is being read: found the next time.
        try:
            with create_session() as session:
                session.add(AssetModel(name=uri, uri=uri, group="asset"))
        except exc.IntegrityError:
            continue


def _lock(session: Any, asset_id: int) -> bool:
    """
    Let nobody else add an event until the end of the transaction, of which this is the first statement.

    Rows that refer to the asset can still be added (``FOR NO KEY UPDATE`` on PostgreSQL), as the scheduler does.

    :return: whether there still is such an asset.
    """
    mine = AssetModel.id == asset_id
    if session.get_bind().dialect.name == "sqlite":
        # It locks no row, but whoever writes locks the database.
        row = update(AssetModel).where(mine).values(id=AssetModel.id)
        return bool(session.execute(row.execution_options(synchronize_session=False)).rowcount)
    return session.scalars(select(AssetModel.id).where(mine).with_for_update(key_share=True)).first() is not None


def _queue_anew(session: Any, asset_ids: Sequence[int]) -> None:
    """
    Let the next run of each DAG have the events that were just added, too.

    A run gets the events up to the moment at which its DAG was queued. Where it was queued already, by an event shortly
    before, Airflow (3.0 to 3.3) leaves that moment as it is: the new event would wait for the next one, which may be
    tomorrow's. So the moment is moved on. Since 3.2 the scheduler holds these rows while it makes a run of them, and
    what it has removed by then is queued again; before, an event of just that moment does wait.
    """
    row = AssetDagRunQueue
    queued = session.execute(select(row.asset_id, row.target_dag_id).where(row.asset_id.in_(asset_ids))).all()
    now = datetime.now(UTC)
    for asset_id, dag_id in sorted(map(tuple, queued)):
        moved = update(row).where(row.asset_id == asset_id, row.target_dag_id == dag_id).values(created_at=now)
        if not session.execute(moved.execution_options(synchronize_session=False)).rowcount:
            session.execute(insert(row).values(asset_id=asset_id, target_dag_id=dag_id, created_at=now))


def _read(session: Any, asset_id: int, seen: Seen) -> None:
    """Read the events that were added since the last look, at most so many as are remembered."""
    earliest = datetime.now(UTC) - timedelta(seconds=seen.lifetime)
    found = session.execute(
        select(AssetEvent.id, AssetEvent.timestamp, AssetEvent.extra)
        .where(AssetEvent.asset_id == asset_id, AssetEvent.timestamp >= earliest, AssetEvent.id > seen.last_id)
        .order_by(AssetEvent.id.desc())
        .limit(MAX_EVENTS)
    ).all()
    for event_id, moment, extra in reversed(found):
        seen.add(event_id, moment.timestamp(), extra)
