"""Frees the resources that trials which died still hold.

Ray keeps the placement group of a worker group as long as the job lives, even when the actor that created it is gone;
Ray Train itself removes it only if the dashboard runs and can be reached.
"""

import ray
from ray.util.placement_group import PlacementGroup, remove_placement_group

from dcgan_dist.cluster.ray_internals import placement_groups


def left_groups() -> list[PlacementGroup]:
    """Placement groups of this job whose creating actor has died."""
    job = ray.get_runtime_context().get_job_id()
    found = []
    for group in placement_groups():
        by_actor = not ray.ActorID(group.creator_actor_id).is_nil()  # a driver makes them too: Tune's own are such
        if group.creator_job_id.hex() == job and by_actor and group.creator_actor_dead and group.state != group.REMOVED:
            found.append(PlacementGroup(ray.PlacementGroupID(group.placement_group_id)))
    return found


def give_back() -> int:
    """Remove the placement groups of dead actors; return how many there were."""
    groups = left_groups()
    for group in groups:
        remove_placement_group(group)
    return len(groups)
