"""What a real Label Studio server (1.23.2) wrote, and a small one in memory.

Three tasks: the first answered "ham", the second skipped, the third open.
"""

from types import SimpleNamespace

EXPORT = """\
[
 {
  "id": 1,
  "annotations": [
   {
    "id": 1,
    "completed_by": 1,
    "result": [
     {
      "from_name": "label",
      "to_name": "text",
      "type": "choices",
      "value": {
       "choices": [
        "ham"
       ]
      }
     }
    ],
    "was_cancelled": false,
    "ground_truth": false,
    "created_at": "2026-11-26T04:03:53.892697Z",
    "updated_at": "2026-11-26T04:03:53.892730Z",
    "draft_created_at": null,
    "lead_time": 3.2,
    "prediction": {
     "id": 1,
     "result": [
      {
       "from_name": "label",
       "to_name": "text",
       "type": "choices",
       "value": {
        "choices": [
         "spam"
        ]
       }
      }
     ],
     "model_version": "round 3",
     "created_ago": "0\u00a0minutes",
     "score": 0.0,
     "cluster": null,
     "neighbors": null,
     "mislabeling": 0.0,
     "created_at": "2026-11-26T04:03:53.607380Z",
     "updated_at": "2026-11-26T04:03:53.607413Z",
     "model": null,
     "model_run": null,
     "task": 1,
     "project": 1
    },
    "result_count": 1,
    "unique_id": "08447169-3bf2-4013-af5f-4c34835b05f0",
    "import_id": null,
    "last_action": null,
    "bulk_created": false,
    "task": 1,
    "project": 1,
    "updated_by": 1,
    "parent_prediction": null,
    "parent_annotation": null,
    "last_created_by": null
   }
  ],
  "drafts": [],
  "predictions": [
   1
  ],
  "data": {
   "text": "row 0",
   "skbadge_id": "0"
  },
  "meta": {},
  "created_at": "2026-11-26T04:03:53.600553Z",
  "updated_at": "2026-11-26T04:03:54.105586Z",
  "allow_skip": true,
  "inner_id": 1,
  "total_annotations": 1,
  "cancelled_annotations": 0,
  "total_predictions": 1,
  "comment_count": 0,
  "unresolved_comment_count": 0,
  "last_comment_updated_at": null,
  "project": 1,
  "updated_by": 1,
  "comment_authors": []
 },
 {
  "id": 2,
  "annotations": [
   {
    "id": 2,
    "completed_by": 1,
    "result": [],
    "was_cancelled": true,
    "ground_truth": false,
    "created_at": "2026-11-26T04:03:54.245748Z",
    "updated_at": "2026-11-26T04:03:54.245769Z",
    "draft_created_at": null,
    "lead_time": null,
    "prediction": {
     "id": 2,
     "result": [
      {
       "from_name": "label",
       "to_name": "text",
       "type": "choices",
       "value": {
        "choices": [
         "spam"
        ]
       }
      }
     ],
     "model_version": "round 3",
     "created_ago": "0\u00a0minutes",
     "score": 0.1,
     "cluster": null,
     "neighbors": null,
     "mislabeling": 0.0,
     "created_at": "2026-11-26T04:03:53.607434Z",
     "updated_at": "2026-11-26T04:03:53.607440Z",
     "model": null,
     "model_run": null,
     "task": 2,
     "project": 1
    },
    "result_count": 0,
    "unique_id": "c39f13c5-032a-4a25-9aef-eba350ee88d5",
    "import_id": null,
    "last_action": null,
    "bulk_created": false,
    "task": 2,
    "project": 1,
    "updated_by": 1,
    "parent_prediction": null,
    "parent_annotation": null,
    "last_created_by": null
   }
  ],
  "drafts": [],
  "predictions": [
   2
  ],
  "data": {
   "text": "row 1",
   "skbadge_id": "1"
  },
  "meta": {},
  "created_at": "2026-11-26T04:03:53.600629Z",
  "updated_at": "2026-11-26T04:03:54.433603Z",
  "allow_skip": true,
  "inner_id": 2,
  "total_annotations": 0,
  "cancelled_annotations": 1,
  "total_predictions": 1,
  "comment_count": 0,
  "unresolved_comment_count": 0,
  "last_comment_updated_at": null,
  "project": 1,
  "updated_by": 1,
  "comment_authors": []
 },
 {
  "id": 3,
  "annotations": [],
  "drafts": [],
  "predictions": [
   3
  ],
  "data": {
   "text": "row 2",
   "skbadge_id": "2"
  },
  "meta": {},
  "created_at": "2026-11-26T04:03:53.600663Z",
  "updated_at": "2026-11-26T04:03:53.600670Z",
  "allow_skip": true,
  "inner_id": 3,
  "total_annotations": 0,
  "cancelled_annotations": 0,
  "total_predictions": 1,
  "comment_count": 0,
  "unresolved_comment_count": 0,
  "last_comment_updated_at": null,
  "project": 1,
  "updated_by": null,
  "comment_authors": []
 }
]
"""
EXPORT_MIN = """\
[
{
  "text": "row 0",
  "skbadge_id": "0",
  "id": 1,
  "label": "ham",
  "annotator": 1,
  "annotation_id": 1,
  "created_at": "2026-11-26T04:03:53.892697Z",
  "updated_at": "2026-11-26T04:03:53.892730Z",
  "lead_time": 3.2
},
{
  "text": "row 2",
  "skbadge_id": "2",
  "id": 3,
  "annotator": null,
  "annotation_id": null,
  "created_at": null,
  "updated_at": null,
  "lead_time": null
}
]
"""
# Lines are long as the server writes them.
EXPORT_CSV = (
    '"annotation_id","annotator","created_at","id","la'
    'bel","lead_time","skbadge_id","text","updated_at"\n'
    '1,"1","2026-11-26T04:03:53.892697Z",1,"ham",'
    '3.2,"0","row 0","2026-11-26T04:03:53.892730Z"\n'
    '"","","",3,"","'
    '","2","row 2",""\n'
)


class Server:
    """A Label Studio in memory, with the calls that are used; it can vanish.

    Parameters
    ----------
    calls_left : int
        Calls until it no longer answers.
    """

    def __init__(self, calls_left=100):
        self.calls_left = calls_left
        self.tasks_left = None
        self.made = []
        self.all_tasks = []
        self.projects = SimpleNamespace(
            list=self._list, create=self._create, import_tasks=self._import
        )
        self.tasks = SimpleNamespace(list=self._tasks)

    def answer(self, id, label, time="2026-12-01T00:00:00Z", project=1):
        """Play a person; None skips."""
        (task,) = [
            task
            for task in self.all_tasks
            if task.project == project and task.data["skbadge_id"] == id
        ]
        self.answer_task(task, label, time)

    def answer_task(self, task, label, time="2026-12-01T00:00:00Z"):
        """Play a person who has a task before them."""
        value = {"choices": [label]}
        result = {"from_name": "skbadge_label", "type": "choices", "value": value}
        task.annotations = [
            {
                "completed_by": 1,
                "was_cancelled": label is None,
                "result": [] if label is None else [result],
                "updated_at": time,
                "lead_time": 2.0,
            }
        ]

    def _call(self):
        self.calls_left -= 1
        if self.calls_left < 0:
            raise ConnectionError("Connection refused")

    def _list(self):
        self._call()
        return list(self.made)

    def _create(self, *, title, label_config):
        self._call()
        self.made.append(SimpleNamespace(id=len(self.made) + 1, title=title))
        return self.made[-1]

    def _import(self, project, *, request):
        self._call()
        for task in request:
            self.all_tasks.append(
                SimpleNamespace(project=project, data=task["data"], annotations=[])
            )
        # Taken in, and gone before the answer.
        self._call()

    def _tasks(self, *, project, fields):
        self._call()
        of_it = [task for task in self.all_tasks if task.project == project]
        for i, task in enumerate(of_it):
            if i == self.tasks_left:
                raise ConnectionError("Connection reset by peer")
            yield task
