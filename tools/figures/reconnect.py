"""10,000 devices that come back after the broker's restart, over TLS, all on this machine, by tools/fleet: how long until the
centre has all their states, how many did not come, and what that costs the centre."""

from crowds import fleet, find
from common import Keeper, Line

NAME, MINUTES = "reconnect", 5
GOAL_S = 60


def cost_of(cost):
    return f"CPU {cost['cpu_s']:.1f} s ({cost['cpu_percent']:.0f} % of a core), RSS {cost['rss_mib']:.0f}, private dirty {cost['private_dirty_mib']:.0f} MiB"


def measure(bench):
    many = bench.few(10000, 1000)
    with bench.folder() as folder, Keeper() as keeper:
        figures = fleet(bench, keeper, folder, many, "broker-restart", "--no-media")
    back = find(figures, "broker_restart")
    took, failures, cost = back["states_at_controller_s"], back["failures"], back["cost"]
    others = "; ".join(f"{what} {cost_of(cost[part])}"
                       for what, part in (("its link", "controller_link"), ("mosquitto", "mosquitto"), ("all agents", "fleet")))
    return [Line(f"{many} devices back after the broker's restart, TLS, {figures['cores']} cores", f"{took} s, {failures} failures",
                 f"<= {GOAL_S} s, 0 failures", f"sessions {back['sessions_s']} s, half of the states {back['welcomed_p50_s']} s",
                 took is not None and took <= GOAL_S and failures == 0, back),
            Line("what that cost the controller", cost_of(cost["controller"]), "", others, None, cost)]
