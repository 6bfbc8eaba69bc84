"""Runs and jobs: live output, stopping, files, and links into Airflow's own pages."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from live.harness import Server
from live.jobs import finish_probes, probe_arguments, wait_until_ended
from live.page.visit import Visit
from live.test_deploy import SOURCE

pytestmark = pytest.mark.browser


def test_the_link_to_a_run_leads_to_airflow_s_own_page(visit: Visit, page: Page, server: Server) -> None:
    visit.open("#endpoint/trigger_dag")
    visit.fill(dag_id="hello_remote", run_id="found_in_Airflow")
    visit.run()
    visit.wait_for_state()
    href = visit.view.get_by_role("link", name="found_in_Airflow").get_attribute("href") or ""
    if server.major == 2:
        page.goto(f"{server.url}/login/")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", "admin")
        page.click("input[type=submit]")
        page.wait_for_url(f"{server.url}/home**")
    page.goto(href)
    expect(page.get_by_text("found_in_Airflow").first).to_be_visible()
    visit.errors.clear()  # errors of Airflow's own page


def test_a_command_streams_its_output_and_can_be_stopped(visit: Visit, server: Server) -> None:
    visit.open("#command/tasks/render")
    arguments = probe_arguments("waits", "stopped on the page")
    run_argument = "execution_date_or_run_id" if server.major == 2 else "logical_date_or_run_id"
    visit.fill(
        dag_id=arguments["dag_id"], task_id=arguments["task_id"], **{run_argument: arguments["run_id"]}
    )
    visit.run()
    stdout = visit.view.get_by_role("region", name="stdout")
    expect(stdout).to_contain_text("begun")
    expect(visit.view.locator(".run .state")).to_have_text("running")
    visit.view.get_by_role("button", name="Stop", exact=True).click()
    visit.wait_for_state("stopped")
    expect(visit.view.locator(".run")).to_contain_text("the command was stopped")
    expect(visit.view.get_by_role("button", name=re.compile("stop", re.IGNORECASE))).to_have_count(0)
    visit.view.locator(".run a[href^='#job/']").click()
    expect(visit.view.locator("dl")).to_contain_text("127.0.0.1")
    expect(visit.view.get_by_role("region", name="stdout")).to_contain_text("begun")


def test_output_is_polled_after_the_stream_has_ended(server3: Server, page: Page) -> None:
    visit = Visit(page, server3).open("#endpoint/render")
    arguments = probe_arguments("waits", "longer than a stream")
    visit.fill(dag_id="live_faults", task_id="waits", execution_date=arguments["run_id"])
    with page.expect_request(re.compile("/output\\?stream=stdout")):
        visit.run()
    finish_probes(server3, "longer than a stream")
    visit.wait_for_state()
    output = visit.view.get_by_role("region", name="stdout").text_content() or ""
    assert (output.count("begun"), output.count("and done")) == (1, 1)


def test_jobs_are_listed_and_can_be_opened_and_stopped(visit: Visit, server: Server, page: Page) -> None:
    arguments = probe_arguments("waits", "a job of the list")
    job_id = server.post("render", data=arguments, extra={"Prefer": "respond-async"})["job"]["id"]
    visit.open("#jobs")
    line = visit.view.get_by_role("row").filter(has=page.locator(f"a[href='#job/{job_id}']"))
    expect(line).to_contain_text("airflow tasks render")
    expect(line).to_contain_text("token 127.0.0.1")
    expect(line).to_contain_text("running")
    line.get_by_role("button", name=re.compile("^Stop")).click()
    expect(line).to_contain_text("stopped")
    wait_until_ended(server, job_id)
    visit.view.get_by_label("Command").fill("nothing of that name")
    expect(visit.view.get_by_text("No jobs found.")).to_be_visible()
    visit.view.get_by_label("Command").fill("render")
    line.get_by_role("link").click()
    expect(page).to_have_url(f"{visit.root}#job/{job_id}")
    expect(visit.view.get_by_role("link", name="All jobs")).to_be_visible()  # the list is shown until then
    expect(visit.view.locator(".run .state")).to_have_text("stopped")
    expect(visit.view.locator("dl")).to_contain_text("a_job_of_the_list")


def test_a_service_shows_its_job_and_can_be_stopped(visit: Visit, server: Server) -> None:
    visit.open("#endpoint/scheduler")
    visit.fill(num_runs="1")
    visit.run()
    link = visit.view.locator(".run a[href^='#job/']")
    expect(link).to_be_visible()
    expect(visit.view.locator(".run")).to_contain_text("This is a service")
    job_id = str(link.text_content())
    stop = visit.view.get_by_role("button", name=re.compile("^(Stop|Force stop)"))
    stop.click()
    expect(stop).to_have_count(0)
    assert wait_until_ended(server, job_id)["kind"] == "service"


def test_files_are_uploaded_and_downloaded(visit: Visit, server: Server, page: Page) -> None:
    visit.open("#endpoint/deploy_dag")
    source = SOURCE.format(dag_id="deployed_by_the_page", task="nothing").encode()
    visit.view.locator("[name=dag_file]").set_input_files(
        {"name": "by_the_page.py", "mimeType": "text/x-python", "buffer": source}
    )
    curl = visit.view.get_by_role("region", name="curl command")
    expect(curl).to_contain_text("-F 'dag_file=@\"by_the_page.py\"'")
    visit.run()
    visit.wait_for_state()
    assert (server.home / "dags" / "by_the_page.py").read_bytes() == source
    expect(visit.view.locator(".run")).to_contain_text("deployed_by_the_page")

    server.run_command("variables", cmd="set", key="fetched", value="by the page")
    page.goto(f"{visit.root}#command/variables/export")
    visit.fill(file="all of <them>.json")
    visit.run()
    visit.wait_for_state()
    with page.expect_download() as download:
        visit.view.locator(".run").get_by_role("button", name="Download", exact=True).click()
    assert json.loads(download.value.path().read_text())["fetched"] == "by the page"
