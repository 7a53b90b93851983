"""What this release learned; written by `python -m benchmarks.selection --learn`, not by hand.

Date: 2026-11-30
Seeds: 0, 1, 2, 3, 4
Sources (34), each left out when it was judged:
  airline_tweets, bank_marketing, beijing_air, cifar10_1, cifar10_20k, communities, crossner, css_llm,
  defects_promise, dga_families, elec2, er, fdu_mtl, geirhos16, heart_hospitals, housing_california,
  indoor_movement, keystroke_sessions, lawbench_llm, llm_judges_llmbar, masc_pos, mmlu_pro, model_pools,
  model_vs_human, noaa_weather, nsl_kdd, occupancy, office_caltech_surf, spoken_digits,
  ssme_civilcomments, ssme_multinli, stance_targets, wisdm_watch, youtube_spam
Reached on the sources left out, means over sources:
  coverage 0.924, width 0.414, mae 0.080, regret 0.049, ok 0.298, ok_kept 0.928, kept_ok 0.369
"""

from __future__ import annotations

from typing import Final

from sidecar.estimation.accuracy.learned import Learned

RELEASE: Final = Learned(
    level=(-0.3600, 0.8444, 0.7383, 0.3124, 0.7215, 0.0071),
    spread=0.5179,
    level_error=(-1.2443, -0.3159, 0.3210, -0.0372, 0.4967, 0.0086),
    own_error=(-0.4861, -0.7769, 0.4890),
    widening=1.4001,
    validated_widening=1.3338,
    sure=0.76,
)
