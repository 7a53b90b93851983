from sidecar.scoring.cpu_budget import CpuBudget


class Clocks:
    def __init__(self) -> None:
        self.wall = 100.0
        self.cpu = 5.0

    def work(self, seconds: float) -> None:
        self.wall += seconds
        self.cpu += seconds


def test_the_share_is_kept_over_any_stretch_of_work() -> None:
    clocks = Clocks()
    budget = CpuBudget(0.25, clock=lambda: clocks.wall, cpu_clock=lambda: clocks.cpu)
    clocks.wall += 1000  # a long rest gives no right to a burst
    start_wall, start_cpu = clocks.wall, clocks.cpu
    for seconds in (0.1, 0.4, 0.01, 0.2):
        assert budget.wait_s() == 0
        clocks.work(seconds)
        clocks.wall += budget.wait_s()
    assert abs((clocks.cpu - start_cpu) / (clocks.wall - start_wall) - 0.25) < 1e-9


def test_waiting_pays_the_debt_off() -> None:
    clocks = Clocks()
    budget = CpuBudget(0.5, clock=lambda: clocks.wall, cpu_clock=lambda: clocks.cpu)
    clocks.work(1.0)
    assert abs(budget.wait_s() - 1.0) < 1e-9
    clocks.wall += 0.75
    assert abs(budget.wait_s() - 0.25) < 1e-9
    clocks.wall += 0.25
    assert budget.wait_s() == 0


def test_looking_at_the_clock_does_not_use_the_budget_up() -> None:
    clocks = Clocks()
    budget = CpuBudget(0.5, clock=lambda: clocks.wall, cpu_clock=lambda: clocks.cpu)
    clocks.work(1.0)
    looks = 0
    while wait := budget.wait_s():
        clocks.wall += wait
        clocks.work(2e-5)
        looks += 1
    assert looks < 3
