"""Performance models: what a configuration costs here, from measurements made elsewhere.

Arrays in, arrays out; files are read and written in `sidecar.formats` and
`sidecar.tools.records`. A metric is above 0 and
modelled by its logarithm. Fitting is deterministic.

    space.Space, space.Option, space.Constraint          options and their encoding as codes
    table.PerformanceTable                               one environment's measurements
    source.Source.learn(table, metric)                   what a table says of any configuration
    fit.fit(sources, target, metric)                     -> model.PerformanceModel
    model.PerformanceModel.predict(codes)                -> model.Prediction: value, low, high
    suggest.next_to_measure(model, count, rng)           -> codes, most worth measuring first
    suggest.cheapest(models, minimise, at_most, rng)     -> suggest.Choice, or the reason for none
    explain.explain(model, rng)                          -> explain.Influence of each option and pair

`sources` may be empty (learning from the target alone), the target may have no rows (nothing was
measured here: direct transfer from the sources).
"""
