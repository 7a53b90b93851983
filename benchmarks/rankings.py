"""Waits for the rankings of a running sidecar."""

from __future__ import annotations

import grpc
from pilotfish.v1 import ranking_pb2, ranking_pb2_grpc

_WAIT_S = 120.0


async def first_ranking(channel: grpc.aio.Channel, endpoint: str, items: int) -> ranking_pb2.Ranking:
    """The first ranking in which every candidate has a rank on at least so many items."""
    request = ranking_pb2.WatchRankingRequest(endpoint=endpoint)
    stream = ranking_pb2_grpc.RankingServiceStub(channel).WatchRanking(request, timeout=_WAIT_S)
    async for response in stream:
        ranking: ranking_pb2.Ranking = response.ranking
        if ranking.items >= items and all(one.rank for one in ranking.candidates):
            stream.cancel()
            return ranking
    raise RuntimeError("the stream of rankings ended")
