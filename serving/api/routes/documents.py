"""The documents that explanations cite."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from riskee.documents.document import Document
from riskee.storage.documents import read_documents
from serving.api.answers import answers
from serving.api.problems import ProblemError
from serving.api.replies import MINUTE, backend_of, kept

router = APIRouter(tags=["explanations"])


@router.get("/documents/{document_id}", responses=answers(Document, 404, 422))
async def document(request: Request, document_id: UUID) -> Response:
    """A source of an explanation, whole. Its text is data from outside: show it as text, never as markup."""
    found = await backend_of(request).database.run(lambda connection: read_documents(connection, [document_id]))
    if not found:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            "unknown_document",
            f"there is no document {document_id}",
            "take the ids of an explanation's sources; derived documents are replaced when their data change",
        )
    return kept(request, found[0], MINUTE)
