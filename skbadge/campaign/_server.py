"""A Label Studio server: tasks pushed, answers pulled, as often as one likes."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from typing import Any, Literal

from skbadge.campaign._answers import Told
from skbadge.campaign._campaign import Campaign
from skbadge.campaign._label_studio import ID, MARK
from skbadge.campaign._ledger import Ledger
from skbadge.exceptions import CampaignError, InvalidInputError

__all__ = ["LabelStudio"]

# Tasks in one request: a server that vanishes has taken all of it, or nothing.
_CHUNK = 100


class LabelStudio:
    """A project on a Label Studio server, for a campaign.

    What is on the server is looked at before anything is sent, so that a push that was
    cut off goes on, and one that is repeated does nothing. A pull stores all answers in
    one transaction after the last of them has arrived.

    Parameters
    ----------
    url : str
        Address of the server.
    token : str
        The user's access token; as a rule from the environment, not from a file.
    project : str, int or None, default=None
        Title of the project, at least three characters, made where there is none; or
        the number of one that is there, as it stands in its address. None for the one
        that the campaign sent tasks to last; in the beginning, one of the title
        ``"skbadge: "`` and the name of the campaign's folder.
    client : object or None, default=None
        A ``label_studio_sdk.LabelStudio``, for settings of one's own.

    Notes
    -----
    The number of the project stands in the journal, and each task bears a mark of its
    campaign. So two campaigns never share a project because of a name: one that is
    there under the title, and has other tasks than this campaign's, is refused until
    its number is given. Where campaigns do share a project, each reads its own tasks.

    Needs the extra ``label-studio`` (``pip install skbadge[label-studio]``).

    Examples
    --------
    >>> from skbadge.campaign import LabelStudio
    >>> server = LabelStudio("http://localhost:8080", token)  # doctest: +SKIP
    >>> server.push(campaign)  # doctest: +SKIP
    100
    >>> server.pull(campaign).stored  # doctest: +SKIP
    37
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        project: str | int | None = None,
        client: Any = None,
    ) -> None:
        title = project.strip() if isinstance(project, str) else ""
        if not (project is None or len(title) >= 3 or _is_number(project)):
            raise InvalidInputError(
                "project must be a title of at least three characters, or the number "
                f"of a project. Got {project!r} instead."
            )
        self.url = str(url).rstrip("/")
        self.project = title or project
        self._client = _client(self.url, token) if client is None else client

    def push(
        self,
        campaign: Campaign,
        *,
        kind: Literal["text", "image", "table"] | None = None,
        images: str | None = None,
        suggestions: bool = False,
    ) -> int:
        """Send the open rows of the last batch, those that are not there yet.

        Parameters
        ----------
        campaign : Campaign
            Opened with its pool.
        kind : str or None, default=None
            As for :meth:`Campaign.to_label_studio`, and so are the next two.
        images : str or None, default=None
            What stands before an image's name to make it an address.
        suggestions : bool, default=False
            Whether the net's own answers are shown.

        Returns
        -------
        n : int
            Number of tasks that are new on the server.

        Raises
        ------
        CampaignError
            If no row is open, or the server does not answer; call again then.
        """
        wanted, config = campaign.tasks(
            kind=kind, images=images, suggestions=suggestions
        )
        with self._reached():
            project, title, tasks = self._found(campaign)
            if project is None:
                made = self._client.projects.create(title=title, label_config=config)
                project = made.id
            # Before the tasks, so that the next push knows where to go on.
            where = {"url": self.url, "project": project, "title": title}
            campaign.note_project(where)
            there = {task["data"].get(ID) for task in tasks if _is_of(campaign, task)}
            new = [task for task in wanted if task["data"][ID] not in there]
            for start in range(0, len(new), _CHUNK):
                part = new[start : start + _CHUNK]
                self._client.projects.import_tasks(project, request=part)
        return len(new)

    def pull(
        self, campaign: Ledger, *, annotators: Mapping[Any, str] | None = None
    ) -> Told:
        """Fetch all answers and skips of the project, and tell them to the campaign.

        Parameters
        ----------
        campaign : Campaign
            The one that asked.
        annotators : mapping or None, default=None
            Names by Label Studio's number of the user.

        Returns
        -------
        told : Told
            Answers that were pulled before are among the unchanged ones; one that a
            person has changed since takes the place of the earlier.

        Raises
        ------
        CampaignError
            If there is no such project, or the server does not answer; nothing was
            stored then.
        """
        with self._reached():
            project, title, tasks = self._found(campaign)
        if project is None:
            raise CampaignError(
                f"There is no project {title!r} on {self.url}. Push a batch first, or "
                "give the project's title or number."
            )
        own = [task for task in tasks if _is_of(campaign, task)]
        if tasks and not own:
            raise CampaignError(
                f"The project {project}, {title!r}, on {self.url} has tasks, and none "
                "of this campaign's. Give the number of the one that has them."
            )
        return campaign.from_label_studio(own, annotators=annotators)

    def _found(self, campaign: Ledger) -> tuple[Any, str, list[dict[str, Any]]]:
        """Return number, title and tasks of the campaign's project.

        The number is None where the project is still to be made.
        """
        titles = {p.id: p.title for p in self._client.projects.list()}
        if _is_number(self.project):
            if self.project not in titles:
                raise CampaignError(
                    f"There is no project {self.project} on {self.url}. Got "
                    f"{dict(list(titles.items())[:10])} there: take one of these."
                )
            return self.project, titles[self.project], self._tasks(self.project)
        known = [
            p
            for p in campaign.projects
            if p["url"].rstrip("/") == self.url and self.project in (None, p["title"])
        ]
        title = str(self.project or f"skbadge: {campaign.folder.resolve().name}")
        if known:
            number, title = known[-1]["project"], known[-1]["title"]
            tasks = self._tasks(number) if number in titles else []
            # Where the server was set up anew, another project may have the number.
            if number in titles and not _is_anothers(campaign, tasks):
                return number, title, tasks
        return self._of_title(campaign, title, titles)

    def _of_title(
        self, campaign: Ledger, title: str, titles: dict[Any, str]
    ) -> tuple[Any, str, list[dict[str, Any]]]:
        """Return the project of a title, if it is the campaign's; see `_found`."""
        found = [number for number, other in titles.items() if other == title]
        if not found:
            return None, title, []
        for number in found:
            tasks = self._tasks(number)
            if all(_bears_mark(campaign, task) for task in tasks):
                return number, title, tasks
        raise CampaignError(
            f"The project {title!r} on {self.url} has tasks that are not known to be "
            "this campaign's: another one may have a folder of this name. Give another "
            f"title; or, if it is the right one, its number: project={found[0]} in "
            f"Python, --project-number {found[0]} on the command line."
        )

    def _tasks(self, project: Any) -> list[dict[str, Any]]:
        return [
            {"data": task.data or {}, "annotations": task.annotations or []}
            for task in self._client.tasks.list(project=project, fields="all")
        ]

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except _errors() as error:
            raise CampaignError(
                f"Label Studio at {self.url} did not do what was asked: {error} "
                "Nothing was stored here; call again when it answers."
            ) from error


def _is_number(project: Any) -> bool:
    return isinstance(project, Integral) and not isinstance(project, bool)


def _is_of(campaign: Ledger, task: dict[str, Any]) -> bool:
    """Whether a campaign may take a task for its own; old ones bear no mark."""
    return task["data"].get(MARK, campaign.mark) == campaign.mark


def _bears_mark(campaign: Ledger, task: dict[str, Any]) -> bool:
    return campaign.mark is not None and task["data"].get(MARK) == campaign.mark


def _is_anothers(campaign: Ledger, tasks: list[dict[str, Any]]) -> bool:
    """Whether there are tasks, and none that the campaign could have sent."""
    ours = (ID in task["data"] and _is_of(campaign, task) for task in tasks)
    return bool(tasks) and not any(ours)


def _errors() -> tuple[type[Exception], ...]:
    """Return what a client raises, by whomever it was made."""
    try:
        import httpx
        from label_studio_sdk.core.api_error import ApiError
    except ImportError:
        return (ConnectionError,)
    return (ConnectionError, ApiError, httpx.HTTPError)


def _client(url: str, token: str) -> Any:
    """Return a client of the SDK."""
    try:
        import httpx
        import label_studio_sdk
    except ImportError as error:
        raise CampaignError(
            "A Label Studio server is reached through label-studio-sdk, which is not "
            "installed: pip install skbadge[label-studio]. Without it, use files: "
            "to_label_studio and from_label_studio."
        ) from error
    http = httpx.Client(timeout=60, follow_redirects=True)
    client = label_studio_sdk.LabelStudio(
        base_url=url, api_key=token, httpx_client=http
    )
    weakref.finalize(client, http.close)
    return client
