"""A Label Studio server: tasks pushed, answers pulled, as often as one likes."""

from __future__ import annotations

import weakref
from contextlib import contextmanager

from skbadge.campaign._label_studio import ID, labeling_config, task_kind, tasks_of
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
    project : str or None, default=None
        Title of the project, at least three characters; None for ``"skbadge: "`` and
        the name of the campaign's folder. Made where there is none.
    client : object or None, default=None
        A ``label_studio_sdk.LabelStudio``, for settings of one's own.

    Notes
    -----
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

    def __init__(self, url, token, *, project=None, client=None):
        if project is not None and len(project) < 3:
            raise InvalidInputError(
                "project must be a title of at least three characters. Got "
                f"{project!r} instead."
            )
        self.url = url
        self.project = project
        self._errors = (ConnectionError,)
        if client is None:
            client, self._errors = _client(url, token)
        self._client = client

    def push(self, campaign, *, kind=None, images=None, suggestions=False):
        """Send the open rows of the last batch, those that are not there yet.

        Parameters
        ----------
        campaign : Campaign
            Opened with its pool.
        kind : str or None, default=None
            As for :meth:`Campaign.to_label_studio`, and so are the next two.
        images : str, Path or None, default=None
            Where pictures are found.
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
        with campaign.open_tasks() as (pool, state, ids):
            kind = task_kind(pool, kind)
            batch = state.batches[-1]
            wanted = tasks_of(
                pool, batch, ids, kind=kind, images=images, suggestions=suggestions
            )
            config = labeling_config(kind, state.settings["classes"])
        title = self._title(campaign)
        with self._reached():
            project = self._find(title)
            if project is None:
                made = self._client.projects.create(title=title, label_config=config)
                project = made.id
            there = {task["data"].get(ID) for task in self._tasks(project)}
            new = [task for task in wanted if task["data"][ID] not in there]
            for start in range(0, len(new), _CHUNK):
                part = new[start : start + _CHUNK]
                self._client.projects.import_tasks(project, request=part)
        campaign.note_project({"url": self.url, "project": project, "title": title})
        return len(new)

    def pull(self, campaign, *, annotators=None):
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
        title = self._title(campaign)
        with self._reached():
            project = self._find(title)
            if project is None:
                raise CampaignError(
                    f"There is no project {title!r} on {self.url}. Push a batch first, "
                    "or give the project's title."
                )
            tasks = self._tasks(project)
        return campaign.from_label_studio(tasks, annotators=annotators)

    def _title(self, campaign):
        return self.project or f"skbadge: {campaign.folder.resolve().name}"

    def _find(self, title):
        """Return the number of the project of this title, the oldest, or None."""
        found = [p.id for p in self._client.projects.list() if p.title == title]
        return min(found, default=None)

    def _tasks(self, project):
        return [
            {"data": task.data, "annotations": task.annotations or []}
            for task in self._client.tasks.list(project=project, fields="all")
        ]

    @contextmanager
    def _reached(self):
        try:
            yield
        except self._errors as error:
            raise CampaignError(
                f"Label Studio at {self.url} did not do what was asked: {error} "
                "Nothing was stored here; call again when it answers."
            ) from error


def _client(url, token):
    """Return a client of the SDK, and the errors it raises."""
    try:
        import httpx
        import label_studio_sdk
        from label_studio_sdk.core.api_error import ApiError
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
    return client, (ApiError, httpx.HTTPError)
