"""Exact figures of rankings: Rank-k, mAP and mINP by query, in bounded memory."""

from harness.metrics.scores import (
    CHUNK,
    PADDING,
    QueryScores,
    join,
    score_queries,
    score_rows,
    summarize,
)

__all__ = ["CHUNK", "PADDING", "QueryScores", "join", "score_queries", "score_rows", "summarize"]
