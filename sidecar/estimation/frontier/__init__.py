"""Several objectives at once: dominance, efficiency, preference; each for certain values and for draws.

Arrays in, arrays out. Points are [candidates, objectives], draws [draws, candidates, objectives],
directions +1 (a good: higher is better) or -1 (a cost: lower is better). What is not finite is refused.

    dominance.nondominated(points, directions)                -> bool; pareto_ranks
    free_disposal.free_disposal(points, directions)           -> theta, peer, nondominated; order_m
    envelopment.envelopment(points, directions, "bcc")        -> theta and the mixture that beats each
    hypervolume.hypervolume(points, directions, reference)    -> float; contributions
    knee.knee(points, directions)                             -> row or None
    random.random_frontier(draws, directions, level)          -> P(nondominated), efficiency with interval
    chance.chance_efficiency(means, deviations, directions, probability)  -> theta

What a caller prefers, and the bounds that must hold, stand in `sidecar.core.preference`.
"""
