from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Task

from portal import jobs
from portal.access.models import User
from portal.jobs import Period
from portal.polling import housekeeping, tasks
from portal.polling.models import WORKER, Heartbeat
from portal.polling.schedules import sync_schedules

pytestmark = pytest.mark.django_db


def make_task(name: str, **kwargs: object) -> Task:
    now = timezone.now()
    values = {"func": "math.sqrt", "started": now, "stopped": now, "success": False, **kwargs}
    return Task.objects.create(id=name, name=name, **values)


def test_there_are_three_schedules_however_often_they_are_written() -> None:
    sync_schedules()
    sync_schedules()

    names = sorted(Schedule.objects.values_list("name", flat=True))
    assert names == ["daily", "hourly", "tick"]


def test_doubles_and_broken_arguments_are_mended_and_the_next_run_stays() -> None:
    sync_schedules()
    planned = Schedule.objects.get(name="daily").next_run
    Schedule.objects.filter(name="daily").update(args="not a literal", func="os.system")
    Schedule.objects.create(name="daily", func="os.system")

    sync_schedules()

    schedule = Schedule.objects.get(name="daily")
    assert schedule.func == "portal.polling.tasks.daily"
    assert not schedule.args
    assert schedule.next_run == planned


def test_tick_writes_a_heartbeat() -> None:
    tasks.tick()

    age = Heartbeat.objects.age(WORKER)
    assert age is not None
    assert age < timedelta(seconds=5)


def test_each_registered_job_becomes_a_task_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_jobs", {period: [] for period in Period})
    jobs.register(Period.HOURLY, "math.sqrt")
    jobs.register(Period.HOURLY, "math.floor")
    jobs.register(Period.HOURLY, "math.sqrt")

    tasks.hourly()

    assert sorted(row.func() for row in OrmQ.objects.all()) == ["math.floor", "math.sqrt"]


def test_a_crowded_queue_gets_no_more_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_CROWDED", 0)
    monkeypatch.setattr(jobs, "_jobs", {period: [] for period in Period})
    jobs.register(Period.HOURLY, "math.sqrt")
    tasks.hourly()

    tasks.hourly()

    assert OrmQ.objects.count() == 1


def test_every_registered_job_exists() -> None:
    from django.utils.module_loading import import_string

    for period in Period:
        for path in jobs.registered(period):
            assert callable(import_string(path))


def test_old_task_results_are_deleted() -> None:
    make_task("old", stopped=timezone.now() - housekeeping.KEEP_TASKS - timedelta(hours=1))
    make_task("new")

    housekeeping.delete_old_tasks()

    assert list(Task.objects.values_list("name", flat=True)) == ["new"]


def test_nobody_may_add_or_change_a_schedule_in_the_admin(client: Client, staff: User) -> None:
    sync_schedules()
    client.force_login(staff)
    schedule = Schedule.objects.get(name="tick")
    change = reverse("admin:django_q_schedule_change", args=[schedule.pk])

    added = client.post(reverse("admin:django_q_schedule_add"), {"func": "os.system"})
    changed = client.post(change, {"func": "os.system"})

    assert (added.status_code, changed.status_code) == (403, 403)
    schedule.refresh_from_db()
    assert schedule.func == "portal.polling.tasks.tick"


@pytest.mark.parametrize("table", ["schedule", "success", "failure", "ormq"])
def test_the_background_tables_can_be_looked_at(client: Client, staff: User, table: str) -> None:
    sync_schedules()
    make_task("broken", result="Traceback: no such thing")
    client.force_login(staff)

    response = client.get(reverse(f"admin:django_q_{table}_changelist"))

    assert response.status_code == 200


def test_failed_tasks_can_be_run_again(client: Client, staff: User) -> None:
    task = make_task("broken")
    client.force_login(staff)

    client.post(
        reverse("admin:django_q_failure_changelist"),
        {"action": "resubmit", "_selected_action": [task.pk]},
    )

    assert OrmQ.objects.count() == 1
    assert not Failure.objects.exists()


def test_doctor_finds_nothing_broken_when_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    tasks.tick()

    call_command("doctor", "--json")

    assert '"healthy": true' in capsys.readouterr().out


def test_doctor_says_what_to_do_when_the_worker_is_away(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        call_command("doctor")

    output = capsys.readouterr().out
    assert "No worker has run yet." in output
    assert "manage.py worker" in output
