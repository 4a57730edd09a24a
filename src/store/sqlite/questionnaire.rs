//! Questionnaires: which one an attempt asks, and what was answered.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::{
    SqliteStore,
    contact::{campaign_key, column},
    fault::{Doing, Fault},
    sql::{self, Row},
    statements::Statements,
    writer::{Reply, Work},
};
use crate::{
    domain::{
        ids::{AgentId, AttemptId, CampaignId, ContactRef, CustomerId, Revision, SurveyId},
        survey::{answer::erased, questionnaire::Questionnaire},
    },
    store::{
        StoreError,
        questionnaire::{
            AnswersDecision, Asked, FilledQuestionnaire, NotSaved, Questionnaires, SaveAnswers, Saved, answers,
            answers_text, questions, questions_text,
        },
        row::{self, damaged, hex, micros},
    },
};

/// The row of a questionnaire, made by the first attempt that asks it.
pub(super) fn key(conn: &Connection, asked: &Questionnaire) -> Result<i64, Fault> {
    let doing = "writing a questionnaire";
    let questions = questions_text(&asked.questions);
    let version = asked.version.to_string();
    let mut hash = Sha256::new();
    for value in [asked.survey.as_str(), &version, &asked.name, &questions] {
        hash.update(value.len().to_be_bytes());
        hash.update(value.as_bytes());
    }
    let digest = hex(&hash.finalize());
    let found = sql::query_scalar("SELECT id FROM questionnaire WHERE digest = ?1").bind(&digest);
    if let Some(id) = found.fetch_optional(conn).doing(doing)? {
        return Ok(id);
    }
    const SQL: &str = "INSERT INTO questionnaire (survey, version, name, questions, digest) VALUES (?1, ?2, ?3, ?4, ?5) \
                       RETURNING id";
    let query = sql::query_scalar(SQL).bind(asked.survey.as_str()).bind(asked.version);
    query.bind(&asked.name).bind(questions).bind(digest).fetch_one(conn).doing(doing)
}

/// Columns of attempts that ask something, and of what was answered.
macro_rules! filled_sql {
    ($from:literal) => {
        concat!(
            "SELECT a.id, k.slug, c.customer_id, a.agent, g.revision, a.placed_at, a.connected_at, a.ended_at, \
             a.questionnaire, s.answers, s.sequence, s.changed_by, s.changed_at, s.completed_by, s.completed_at ",
            $from
        )
    };
}

/// Questionnaires as rows name them, each read once.
#[derive(Default)]
struct Known(BTreeMap<i64, Arc<Questionnaire>>);

impl Known {
    fn get(&mut self, conn: &Connection, id: i64) -> Result<Arc<Questionnaire>, Fault> {
        if let Some(known) = self.0.get(&id) {
            return Ok(Arc::clone(known));
        }
        let query = sql::query("SELECT survey, version, name, questions FROM questionnaire WHERE id = ?1").bind(id);
        let row = query.fetch_optional(conn).doing("reading a questionnaire")?;
        let row = row.ok_or_else(|| damaged("attempt.questionnaire"))?;
        let read = Arc::new(Questionnaire {
            survey: SurveyId::parse(column(&row, 0)?).map_err(|_| damaged("questionnaire.survey"))?,
            version: column(&row, 1)?,
            name: column(&row, 2)?,
            questions: questions(column(&row, 3)?)?,
        });
        self.0.insert(id, Arc::clone(&read));
        Ok(read)
    }

    fn filled(&mut self, conn: &Connection, row: &Row<'_>) -> Result<FilledQuestionnaire, Fault> {
        let at = |index| Ok::<_, Fault>(column::<Option<i64>>(row, index)?.map(row::timestamp).transpose()?);
        let saved = |by: usize| {
            let (by, at) = (column::<Option<String>>(row, by)?, at(by + 1)?);
            Ok::<_, Fault>(by.zip(at).map(|(by, at)| Saved { by, at }))
        };
        Ok(FilledQuestionnaire {
            attempt: AttemptId::from_i64(column(row, 0)?).ok_or_else(|| damaged("attempt.id"))?,
            campaign: CampaignId::parse(column(row, 1)?).map_err(|_| damaged("campaign.slug"))?,
            customer: CustomerId::parse(column(row, 2)?).map_err(|_| damaged("contact.customer_id"))?,
            agent: AgentId::parse(column(row, 3)?).map_err(|_| damaged("attempt.agent"))?,
            revision: Revision::parse(column(row, 4)?).ok_or_else(|| damaged("generation.revision"))?,
            placed_at: row::timestamp(column(row, 5)?)?,
            connected_at: at(6)?,
            ended_at: at(7)?,
            questionnaire: self.get(conn, column(row, 8)?)?,
            answers: column::<Option<&str>>(row, 9)?.map(answers).transpose()?.unwrap_or_default(),
            sequence: column::<Option<u32>>(row, 10)?.unwrap_or(0),
            changed: saved(11)?,
            completed: saved(13)?,
        })
    }

    fn all(&mut self, conn: &Connection, query: sql::Query<'_>) -> Result<Vec<FilledQuestionnaire>, Fault> {
        let rows = query.fetch_all(conn).doing("reading answers")?;
        rows.iter().map(|row| self.filled(conn, row)).collect()
    }
}

fn one(conn: &Connection, attempt: AttemptId) -> Result<Option<FilledQuestionnaire>, Fault> {
    Ok(some(conn, &[attempt])?.pop())
}

fn some(conn: &Connection, attempts: &[AttemptId]) -> Result<Vec<FilledQuestionnaire>, Fault> {
    const SQL: &str = filled_sql!(
        "FROM json_each(?1) j CROSS JOIN attempt a ON a.id = j.value JOIN campaign k ON k.id = a.campaign \
         JOIN contact c ON c.id = a.contact JOIN generation g ON g.id = a.generation \
         LEFT JOIN answers s ON s.attempt = a.id WHERE a.questionnaire IS NOT NULL"
    );
    let ids: Vec<i64> = attempts.iter().map(|attempt| attempt.to_i64()).collect();
    let ids = serde_json::to_string(&ids).map_err(|_| damaged("attempt.id"))?;
    Known::default().all(conn, sql::query(SQL).bind(ids))
}

fn of_contact(
    conn: &Connection,
    campaign: &CampaignId,
    customer: &CustomerId,
) -> Result<Vec<FilledQuestionnaire>, Fault> {
    const SQL: &str = filled_sql!(
        "FROM contact c CROSS JOIN attempt a ON a.contact = c.id JOIN campaign k ON k.id = a.campaign \
         JOIN generation g ON g.id = a.generation LEFT JOIN answers s ON s.attempt = a.id \
         WHERE c.campaign = ?1 AND c.customer_id = ?2 AND a.questionnaire IS NOT NULL ORDER BY a.id"
    );
    let key = campaign_key(conn, campaign)?;
    Known::default().all(conn, sql::query(SQL).bind(key).bind(customer.as_str()))
}

fn page(
    conn: &Connection,
    campaign: &CampaignId,
    after: Option<AttemptId>,
    limit: u32,
) -> Result<Vec<FilledQuestionnaire>, Fault> {
    const SQL: &str = filled_sql!(
        "FROM answers s CROSS JOIN attempt a ON a.id = s.attempt JOIN campaign k ON k.id = a.campaign \
         JOIN contact c ON c.id = a.contact JOIN generation g ON g.id = a.generation \
         WHERE s.campaign = ?1 AND s.attempt > ?2 ORDER BY s.attempt LIMIT ?3"
    );
    let key = campaign_key(conn, campaign)?;
    let query = sql::query(SQL).bind(key).bind(after.map_or(-1, AttemptId::to_i64)).bind(limit);
    Known::default().all(conn, query)
}

/// By survey and version; the connected ones are counted in an index of theirs.
fn asked(conn: &Connection, campaign: &CampaignId) -> Result<Vec<Asked>, Fault> {
    const SQL: &str = "SELECT questionnaire, sum(n) FROM ( \
                       SELECT questionnaire, count(*) AS n FROM attempt INDEXED BY attempt_questionnaire \
                       WHERE campaign = ?1 AND questionnaire IS NOT NULL AND connected_at IS NOT NULL \
                       GROUP BY questionnaire \
                       UNION ALL SELECT DISTINCT a.questionnaire, 0 FROM answers s CROSS JOIN attempt a \
                       ON a.id = s.attempt WHERE s.campaign = ?1) GROUP BY questionnaire";
    let key = campaign_key(conn, campaign)?;
    let rows = sql::query(SQL).bind(key).fetch_all(conn).doing("counting questionnaires")?;
    let mut known = Known::default();
    let asked = |row: &Row<'_>| {
        let connected = u64::try_from(column::<i64>(row, 1)?).unwrap_or(0);
        Ok(Asked { questionnaire: known.get(conn, column(row, 0)?)?, connected })
    };
    let mut all: Vec<Asked> = rows.iter().map(asked).collect::<Result<_, Fault>>()?;
    all.sort_by(|a, b| a.questionnaire.order().cmp(&b.questionnaire.order()));
    Ok(all)
}

/// Saves answers, unless somebody else has or the customer was erased.
pub(super) fn save(conn: &Connection, save: &SaveAnswers) -> Result<AnswersDecision, Fault> {
    let Some(before) = one(conn, save.attempt)? else {
        return Ok(AnswersDecision::Refused(NotSaved::NoQuestionnaire(save.attempt)));
    };
    const ERASED: &str =
        "SELECT p.numbers = '[]' FROM attempt a JOIN personal p ON p.contact = a.contact WHERE a.id = ?1";
    let doing = "saving answers";
    let gone = sql::query_scalar(ERASED).bind(save.attempt.to_i64()).fetch_optional(conn).doing(doing)?;
    if gone.unwrap_or(false) {
        return Ok(AnswersDecision::Refused(NotSaved::Erased(save.attempt)));
    }
    let after = match before.save(save) {
        Ok(Some(after)) => after,
        Ok(None) => return Ok(AnswersDecision::Saved { filled: Box::new(before), changed: false }),
        Err(refused) => return Ok(AnswersDecision::Refused(refused)),
    };
    const SQL: &str = "INSERT INTO answers (attempt, campaign, answers, sequence, changed_by, changed_at, completed_by, \
                       completed_at) SELECT id, campaign, ?2, ?3, ?4, ?5, ?6, ?7 FROM attempt WHERE id = ?1 \
                       ON CONFLICT (attempt) DO UPDATE SET answers = ?2, sequence = ?3, changed_by = ?4, \
                       changed_at = ?5, completed_by = ?6, completed_at = ?7";
    let query = sql::query(SQL)
        .bind(save.attempt.to_i64())
        .bind(answers_text(&after.answers))
        .bind(after.sequence)
        .bind(&save.saved.by)
        .bind(micros(save.saved.at))
        .bind(after.completed.as_ref().map(|saved| saved.by.as_str()))
        .bind(after.completed.as_ref().map(|saved| micros(saved.at)));
    query.execute(conn).doing(doing)?;
    Ok(AnswersDecision::Saved { filled: Box::new(after), changed: true })
}

/// Takes away what is personal of a contact's answers.
pub(super) fn erase(conn: &Connection, all: &mut Statements, contact: ContactRef) -> Result<(), Fault> {
    const SQL: &str = "SELECT s.attempt, a.questionnaire, s.answers FROM attempt a JOIN answers s ON s.attempt = a.id \
                       WHERE a.contact = ?1";
    let mut known = Known::default();
    let rows = sql::query(SQL).bind(contact.0).fetch_all(conn).doing("erasing a contact")?;
    for row in rows {
        // What can't be read can't be kept in part either.
        let asked = known.get(conn, column(&row, 1)?).ok();
        let kept = match (asked, answers(column(&row, 2)?)) {
            (Some(asked), Ok(given)) => erased(&asked.questions, &given),
            _ => BTreeMap::new(),
        };
        let sql = "UPDATE answers SET answers = ? WHERE attempt = ?";
        all.add(sql).bind(answers_text(&kept)).bind(column::<i64>(&row, 0)?);
    }
    Ok(())
}

#[async_trait]
impl Questionnaires for SqliteStore {
    async fn questionnaire(&self, attempt: AttemptId) -> Result<Option<FilledQuestionnaire>, StoreError> {
        self.read(move |conn| one(conn, attempt)).await
    }

    async fn questionnaires_of(
        &self,
        attempts: &[AttemptId],
    ) -> Result<BTreeMap<AttemptId, FilledQuestionnaire>, StoreError> {
        let attempts = attempts.to_vec();
        let found = self.read_to_export(move |conn| some(conn, &attempts)).await?;
        Ok(found.into_iter().map(|filled| (filled.attempt, filled)).collect())
    }

    async fn questionnaires_of_contact(
        &self,
        campaign: &CampaignId,
        customer: &CustomerId,
    ) -> Result<Vec<FilledQuestionnaire>, StoreError> {
        let (campaign, customer) = (campaign.clone(), customer.clone());
        self.read(move |conn| of_contact(conn, &campaign, &customer)).await
    }

    async fn questionnaire_page(
        &self,
        campaign: &CampaignId,
        after: Option<AttemptId>,
        limit: u32,
    ) -> Result<Vec<FilledQuestionnaire>, StoreError> {
        let campaign = campaign.clone();
        self.read(move |conn| page(conn, &campaign, after, limit)).await
    }

    async fn asked(&self, campaign: &CampaignId) -> Result<Vec<Asked>, StoreError> {
        let campaign = campaign.clone();
        self.read(move |conn| asked(conn, &campaign)).await
    }

    async fn save_answers(&self, save: SaveAnswers) -> Result<AnswersDecision, StoreError> {
        let reply = self.ask(&self.urgent, Work::Answers(Box::new(save))).await?;
        if let Reply::Answers(decision) = reply { Ok(decision) } else { Err(StoreError::Closed) }
    }
}
