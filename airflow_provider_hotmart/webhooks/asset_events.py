"""
Events of assets in Airflow's own database, each delivery once.

Everything that touches Airflow's internals for the receiver is here: no public interface lets a plugin of the API
server add an event of an asset. It does what the public route ``POST /api/v2/assets/events`` does, in the same words in
Airflow 3.0 to 3.3: ``asset_manager.register_asset_change(asset=AssetModel, extra=…, session=…)``, in a session of
``create_session``, which commits at its end. What 3.3 alone knows (``source_is_api``) falls into ``**kwargs`` before.
Airflow 2 has none of it, and nothing there imports this module.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.assets.manager import asset_manager
from airflow.models.asset import AssetActive, AssetDagRunQueue, AssetEvent, AssetModel
from airflow.utils.session import create_session
from sqlalchemy import exc, insert, select, update

from airflow_provider_hotmart.webhooks.delivery import Delivery, keys
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
        self._seen: dict[str, Seen] = {}
        #: By connection: threads of this process need not each hold a session to wait for the row.
        self._locks: dict[str, threading.Lock] = {}
        #: Ids of assets by URI, and when they are looked up again, on the monotonic clock.
        self._asset_ids: dict[str, tuple[int, float]] = {}

    def store(self, conn_id: str, delivery: Delivery) -> bool:
        """
        Add an event to the asset of the connection, and to that of the kind of event.

        :param conn_id: whose webhook it is.
        :return: whether it was new; both events are in the database then.
        """
        with self._locks.setdefault(conn_id, threading.Lock()):
            seen = self._seen.setdefault(conn_id, Seen())
            uris = (asset_uri(conn_id), asset_uri(conn_id, delivery.event))
            asset_ids = [self._asset_id(uri) for uri in uris]
            with create_session() as session:
                _lock(session, asset_ids[0])
                for event_id, moment, extra in _events(session, asset_ids[0], seen):
                    seen.add(event_id, moment, extra)
                if any(key in seen for key in keys(delivery.extra)):
                    return False
                for asset_id in asset_ids:
                    # In the words of SQLAlchemy 1.4, which Airflow 3.0 and 3.1 have.
                    asset = session.scalars(select(AssetModel).where(AssetModel.id == asset_id)).first()
                    if asset is None:
                        self._asset_ids.clear()
                        raise LookupError(f"asset {asset_id} is gone")
                    event = asset_manager.register_asset_change(
                        asset=asset, extra=delivery.extra, source_is_api=True, session=session
                    )
                    if event is None:
                        raise LookupError(f"asset {asset_id} is gone")
                    _queue_anew(session, asset_id)
            return True

    def _asset_id(self, uri: str) -> int:
        """Find an asset, or add it; a DAG may name it otherwise at any time, so it is looked up now and then."""
        found, valid_until = self._asset_ids.get(uri, (0, 0.0))
        if time.monotonic() >= valid_until:
            found = _register(uri)
            self._asset_ids[uri] = (found, time.monotonic() + LIFETIME)
        return found


def _register(uri: str) -> int:
    """
    Find an asset, or add it: one that no DAG uses is not in the database, or in no use.

    Whether it is in use is decided by the scheduler, which goes by the DAGs; events are kept all the same.

    :return: its id.
    """
    while True:
        with create_session() as session:
            found = session.scalars(
                select(AssetModel.id)
                .outerjoin(AssetActive, (AssetActive.name == AssetModel.name) & (AssetActive.uri == AssetModel.uri))
                .where(AssetModel.uri == uri)
                # The one in use first: an asset may have been renamed.
                .order_by(AssetActive.uri.is_(None), AssetModel.id)
                .limit(1)
            ).first()
        if found is not None:
            return int(found)
        # Another API server adds it at the same moment, or a DAG that uses it is being read: found the next time.
        try:
            with create_session() as session:
                session.add(AssetModel(name=uri, uri=uri, group="asset"))
        except exc.IntegrityError:
            continue


def _lock(session: Any, asset_id: int) -> None:
    """
    Let nobody else add an event until the end of the transaction, of which this is the first statement.

    Rows that refer to the asset can still be added (``FOR NO KEY UPDATE`` on PostgreSQL), as the scheduler does.
    """
    if session.get_bind().dialect.name == "sqlite":
        # It locks no row, but whoever writes locks the database.
        session.execute(update(AssetModel).where(AssetModel.id == asset_id).values(id=AssetModel.id))
    else:
        session.execute(select(AssetModel.id).where(AssetModel.id == asset_id).with_for_update(key_share=True))


def _queue_anew(session: Any, asset_id: int) -> None:
    """
    Let the next run of each DAG have the event that was just added, too.

    A run gets the events up to the moment at which its DAG was queued. Where it was queued already, by an event shortly
    before, Airflow (3.0 to 3.3) leaves that moment as it is: the new event would wait for the next one, which may be
    tomorrow's. So the moment is moved on. Since 3.2 the scheduler holds these rows while it makes a run of them, and
    what it has removed by then is queued again; before, an event of just that moment does wait.
    """
    mine = AssetDagRunQueue.asset_id == asset_id
    queued = session.scalars(select(AssetDagRunQueue.target_dag_id).where(mine)).all()
    now = datetime.now(UTC)
    for dag_id in sorted(queued):
        row = update(AssetDagRunQueue).where(mine, AssetDagRunQueue.target_dag_id == dag_id).values(created_at=now)
        if not session.execute(row.execution_options(synchronize_session=False)).rowcount:
            session.execute(insert(AssetDagRunQueue).values(asset_id=asset_id, target_dag_id=dag_id, created_at=now))


def _events(session: Any, asset_id: int, seen: Seen) -> list[Any]:
    """Events that were added since the last look, at most so many as are remembered, oldest first."""
    earliest = datetime.now(UTC) - timedelta(seconds=seen.lifetime)
    found = session.execute(
        select(AssetEvent.id, AssetEvent.timestamp, AssetEvent.extra)
        .where(AssetEvent.asset_id == asset_id, AssetEvent.timestamp >= earliest, AssetEvent.id > seen.last_id)
        .order_by(AssetEvent.id.desc())
        .limit(MAX_EVENTS)
    ).all()
    return [(event_id, moment.timestamp(), extra) for event_id, moment, extra in reversed(found)]
