"""What this release learned; written by `python -m benchmarks.selection --learn`, not by hand.

Date: 2026-11-30
Seeds: 0, 1, 2, 3
Sources (34), each left out when it was judged:
  airline_tweets, bank_marketing, beijing_air, cifar10_1, cifar10_20k, communities, crossner, css_llm,
  defects_promise, dga_families, elec2, er, fdu_mtl, geirhos16, heart_hospitals, housing_california,
  indoor_movement, keystroke_sessions, lawbench_llm, llm_judges_llmbar, masc_pos, mmlu_pro, model_pools,
  model_vs_human, noaa_weather, nsl_kdd, occupancy, office_caltech_surf, spoken_digits,
  ssme_civilcomments, ssme_multinli, stance_targets, wisdm_watch, youtube_spam
Reached on the sources left out, means over sources:
  coverage 0.903, width 0.368, mae 0.081, regret 0.050, ok 0.346, ok_kept 0.904, kept_ok 0.417
"""

from __future__ import annotations

from typing import Final

from sidecar.estimation.accuracy.learned import Learned

RELEASE: Final = Learned(
    level=(-0.3637, 0.8047, 0.7622, 0.2946, 0.8805, 0.0369),
    spread=0.5062,
    level_error=(-1.1965, -0.2752, 0.4152, -0.1168, 0.3284, -0.0180),
    own_error=(-0.4697, -0.7850, 0.4773),
    widening=1.2154,
    validated_widening=1.1797,
    sure=0.78,
)
