BEGIN TRANSACTION;
CREATE TABLE design (
	id VARCHAR NOT NULL, 
	source VARCHAR NOT NULL, 
	summary VARCHAR NOT NULL, 
	origin VARCHAR NOT NULL, 
	created FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "design" VALUES('1-6ffc105913550f6cb73eecb1c09b50969e62cc89d1b1ba11378d7a9f807a31e3','"""No memory at all: what every design has to beat."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class NoMemory(MemoryDesign):
    """Remembers nothing and tells nothing."""

    def update(self, trajectory: Trajectory) -> None:
        """Forget it at once."""

    def retrieve(self, query: Query) -> Memory:
        """Tell nothing."""
        return Memory()
','Remembers nothing and tells nothing.','untrusted',1.79544457062538957595e+09);
INSERT INTO "design" VALUES('1-cd8eda0d3a87e04cf4384fab070e17ed50b77ea5e34f013fcde207cb33882888','"""The steps of the nearest successful episode (Trajectory Retrieval, the strongest simple baseline of ALMA''s paper)."""

from sandbox.guest import Memory, MemoryDesign, Query, Toolkit, Trajectory, words


class NearestTrajectory(MemoryDesign):
    """Tells the actions of the success whose goal and first observation share most words with the query''s.

    Where no episode succeeded, the nearest of those with the highest score stands in.
    """

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.episodes: list[tuple[set[str], Trajectory]] = []

    def update(self, trajectory: Trajectory) -> None:
        """Keep the episode as it is."""
        task = trajectory.task
        self.episodes.append((set(words(f"{task.goal} {task.observation}")), trajectory))

    def retrieve(self, query: Query) -> Memory:
        """The actions of one episode in their order."""
        if not self.episodes:
            return Memory()
        asked = set(words(f"{query.task.goal} {query.observation}"))
        best = max(trajectory.score for _, trajectory in self.episodes)
        candidates = [pair for pair in self.episodes if pair[1].success or pair[1].score == best]
        _, nearest = max(candidates, key=lambda pair: len(asked & pair[0]) / max(1, len(asked | pair[0])))
        return Memory(dict.fromkeys(step.action for step in nearest.steps))
','Tells the actions of the success whose goal and first observation share most words with the query''s.','untrusted',1.79544457079481649397e+09);
INSERT INTO "design" VALUES('1-15156ccf931ecf0fbd34778651ae9f32362cece47699318f0d4262526a0c4d95','"""CreditedActions, RawSteps kept in ListStore, found by ByReward, managed by DropDuplicates."""

from sandbox.guest import (
    ByReward,
    CreditedActions,
    DropDuplicates,
    LayeredDesign,
    ListStore,
    Query,
    RawSteps,
    Record,
    Toolkit,
    overlap,
)


class Design(LayeredDesign):
    """CreditedActions, RawSteps kept in ListStore, found by ByReward, managed by DropDuplicates."""

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.encoders = [
            CreditedActions(window=7, decay=0.55),
            RawSteps(limit=9),
        ]
        self.store = ListStore()
        self.retriever = ByReward(limit=27, trust=3.6)
        self.managers = [
            DropDuplicates(),
        ]
        self.lines = 34

    def worth(self, record: Record, relevance: float, query: Query) -> float:
        """Of the records found, those of the highest worth are told."""
        return 2.6

    def place(self, record: Record, relevance: float, query: Query) -> float:
        """Those of the lowest place are told first."""
        return overlap(record.text, query.task.goal)
','CreditedActions, RawSteps kept in ListStore, found by ByReward, managed by DropDuplicates.','composed',1.79544457085668468475e+09);
INSERT INTO "design" VALUES('1-6e561517be09d1c710eaef4e56e4d6eb810a123607ef018174597552611192a2','"""RawSteps kept in VectorStore, found by ByReward, managed by DropDuplicates, Capacity."""

from sandbox.guest import (
    ByReward,
    Capacity,
    DropDuplicates,
    LayeredDesign,
    Query,
    RawSteps,
    Record,
    Toolkit,
    VectorStore,
    overlap,
)


class Design(LayeredDesign):
    """RawSteps kept in VectorStore, found by ByReward, managed by DropDuplicates, Capacity."""

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.encoders = [
            RawSteps(limit=17),
        ]
        self.store = VectorStore(toolkit)
        self.retriever = ByReward(limit=26, trust=0.24)
        self.managers = [
            DropDuplicates(),
            Capacity(limit=36),
        ]
        self.lines = 48

    def worth(self, record: Record, relevance: float, query: Query) -> float:
        """Of the records found, those of the highest worth are told."""
        return min(7.8, record.win_rate)

    def place(self, record: Record, relevance: float, query: Query) -> float:
        """Those of the lowest place are told first."""
        return overlap(record.text, query.task.goal)
','RawSteps kept in VectorStore, found by ByReward, managed by DropDuplicates, Capacity.','composed',1.795444570928302288e+09);
CREATE TABLE episode (
	"key" BLOB NOT NULL, 
	task_id VARCHAR NOT NULL, 
	seed INTEGER NOT NULL, 
	score FLOAT NOT NULL, 
	success BOOLEAN NOT NULL, 
	steps INTEGER NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "episode" VALUES(X'31ACEED409FC1E9299530DC8CCFF6557','collection-005',50,0.25,0,4);
INSERT INTO "episode" VALUES(X'D1B26F00539B7EDE161EA2AF098CF033','collection-007',50,0.0,0,4);
INSERT INTO "episode" VALUES(X'B0CA9ED8F4D90655A0476ACA2DADFACC','deployment-020',0,0.0,0,4);
INSERT INTO "episode" VALUES(X'E98948AD0F7CDD96A684D731DFA3189C','deployment-059',0,0.0,0,4);
INSERT INTO "episode" VALUES(X'A5A77170903046473E83B49A6139C9AE','deployment-020',0,0.5,0,4);
INSERT INTO "episode" VALUES(X'0F80374E5C53BA24CBFD0A9405754C87','deployment-059',0,0.0,0,4);
INSERT INTO "episode" VALUES(X'954CB4D71EFBBD7CF929B6D98EFCB558','deployment-020',0,0.5,0,4);
INSERT INTO "episode" VALUES(X'63E55613F200D5C5E4000BC3DD28E92B','deployment-059',0,0.0,0,4);
INSERT INTO "episode" VALUES(X'5D3BE42A09F68F22CFCBFCADFF0E708C','deployment-020',0,0.5,0,4);
INSERT INTO "episode" VALUES(X'8B67A7782443AB0B0D8C80A600311C93','deployment-059',0,0.25,0,4);
CREATE TABLE evaluation (
	id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	design_id VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	score FLOAT NOT NULL, 
	low FLOAT NOT NULL, 
	high FLOAT NOT NULL, 
	n INTEGER NOT NULL, 
	tokens FLOAT NOT NULL, 
	cut INTEGER NOT NULL, 
	calls INTEGER NOT NULL, 
	seconds FLOAT NOT NULL, 
	created FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "evaluation" VALUES(1,1,'1-6ffc105913550f6cb73eecb1c09b50969e62cc89d1b1ba11378d7a9f807a31e3','deployment',0.0,0.0,0.0,2,0.0,0,0,1.00765419974777614697e-02,1.79544457078053021435e+09);
INSERT INTO "evaluation" VALUES(2,1,'1-cd8eda0d3a87e04cf4384fab070e17ed50b77ea5e34f013fcde207cb33882888','deployment',0.25,0.0,0.5,2,16.0,0,0,2.33688760017685126513e-02,1.79544457082707881925e+09);
INSERT INTO "evaluation" VALUES(3,1,'1-15156ccf931ecf0fbd34778651ae9f32362cece47699318f0d4262526a0c4d95','deployment',0.25,0.0,0.5,2,28.0,0,0,1.42474089971074135974e-02,1.79544457092432761195e+09);
INSERT INTO "evaluation" VALUES(4,1,'1-6e561517be09d1c710eaef4e56e4d6eb810a123607ef018174597552611192a2','deployment',0.375,0.25,0.5,2,28.0,0,1,4.8075003200392529834e-01,1.79544457148526382444e+09);
CREATE TABLE event (
	id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	design_id VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	created FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "event" VALUES(1,1,'1-6ffc105913550f6cb73eecb1c09b50969e62cc89d1b1ba11378d7a9f807a31e3','proposed','',1.79544457062641692156e+09);
INSERT INTO "event" VALUES(2,1,'1-6ffc105913550f6cb73eecb1c09b50969e62cc89d1b1ba11378d7a9f807a31e3','smoke','',1795444570.62833);
INSERT INTO "event" VALUES(3,1,'1-6ffc105913550f6cb73eecb1c09b50969e62cc89d1b1ba11378d7a9f807a31e3','full','',1795444570.70815);
INSERT INTO "event" VALUES(4,1,'1-6ffc105913550f6cb73eecb1c09b50969e62cc89d1b1ba11378d7a9f807a31e3','evaluated','0.000 on 2 tasks',1.79544457078078532226e+09);
INSERT INTO "event" VALUES(5,1,'1-cd8eda0d3a87e04cf4384fab070e17ed50b77ea5e34f013fcde207cb33882888','proposed','',1.79544457079514861112e+09);
INSERT INTO "event" VALUES(6,1,'1-cd8eda0d3a87e04cf4384fab070e17ed50b77ea5e34f013fcde207cb33882888','smoke','',1.79544457079571914671e+09);
INSERT INTO "event" VALUES(7,1,'1-cd8eda0d3a87e04cf4384fab070e17ed50b77ea5e34f013fcde207cb33882888','full','',1.79544457082142186162e+09);
INSERT INTO "event" VALUES(8,1,'1-cd8eda0d3a87e04cf4384fab070e17ed50b77ea5e34f013fcde207cb33882888','evaluated','0.250 on 2 tasks',1.795444570827231884e+09);
INSERT INTO "event" VALUES(9,1,'1-15156ccf931ecf0fbd34778651ae9f32362cece47699318f0d4262526a0c4d95','proposed','',1.79544457085710978507e+09);
INSERT INTO "event" VALUES(10,1,'1-15156ccf931ecf0fbd34778651ae9f32362cece47699318f0d4262526a0c4d95','smoke','',1.79544457085804867743e+09);
INSERT INTO "event" VALUES(11,1,'1-15156ccf931ecf0fbd34778651ae9f32362cece47699318f0d4262526a0c4d95','full','',1.79544457091753029828e+09);
INSERT INTO "event" VALUES(12,1,'1-15156ccf931ecf0fbd34778651ae9f32362cece47699318f0d4262526a0c4d95','evaluated','0.250 on 2 tasks',1.79544457092448544498e+09);
INSERT INTO "event" VALUES(13,1,'1-6e561517be09d1c710eaef4e56e4d6eb810a123607ef018174597552611192a2','proposed','',1.79544457092902421955e+09);
INSERT INTO "event" VALUES(14,1,'1-6e561517be09d1c710eaef4e56e4d6eb810a123607ef018174597552611192a2','smoke','',1.79544457093108916281e+09);
INSERT INTO "event" VALUES(15,1,'1-6e561517be09d1c710eaef4e56e4d6eb810a123607ef018174597552611192a2','full','',1.79544457148176097869e+09);
INSERT INTO "event" VALUES(16,1,'1-6e561517be09d1c710eaef4e56e4d6eb810a123607ef018174597552611192a2','evaluated','0.375 on 2 tasks',1.79544457148543357854e+09);
CREATE TABLE look (
	id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	design_id VARCHAR NOT NULL, 
	result VARCHAR NOT NULL, 
	created FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE member (
	run_id INTEGER NOT NULL, 
	design_id VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	role VARCHAR NOT NULL, 
	change VARCHAR NOT NULL, 
	PRIMARY KEY (run_id, design_id)
);
INSERT INTO "member" VALUES(1,'1-6ffc105913550f6cb73eecb1c09b50969e62cc89d1b1ba11378d7a9f807a31e3',0,'baseline','no_memory');
INSERT INTO "member" VALUES(1,'1-cd8eda0d3a87e04cf4384fab070e17ed50b77ea5e34f013fcde207cb33882888',0,'baseline','nearest_trajectory');
INSERT INTO "member" VALUES(1,'1-15156ccf931ecf0fbd34778651ae9f32362cece47699318f0d4262526a0c4d95',1,'candidate','composed from building blocks');
INSERT INTO "member" VALUES(1,'1-6e561517be09d1c710eaef4e56e4d6eb810a123607ef018174597552611192a2',2,'candidate','put slots into CreditedActions; composed afresh');
CREATE TABLE meta (
	"key" VARCHAR NOT NULL, 
	value VARCHAR NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema_version','1');
CREATE TABLE outcome (
	evaluation_id INTEGER NOT NULL, 
	task_id VARCHAR NOT NULL, 
	repeat INTEGER NOT NULL, 
	score FLOAT NOT NULL, 
	episode BLOB, 
	told BLOB NOT NULL, 
	tokens INTEGER NOT NULL, 
	PRIMARY KEY (evaluation_id, task_id, repeat)
);
INSERT INTO "outcome" VALUES(1,'deployment-020',0,0.0,X'B0CA9ED8F4D90655A0476ACA2DADFACC',X'7EBB3C7C2A87B1A2F8A7ED729ECB040D',0);
INSERT INTO "outcome" VALUES(1,'deployment-059',0,0.0,X'E98948AD0F7CDD96A684D731DFA3189C',X'7EBB3C7C2A87B1A2F8A7ED729ECB040D',0);
INSERT INTO "outcome" VALUES(2,'deployment-020',0,0.5,X'A5A77170903046473E83B49A6139C9AE',X'46436BC9E8E1DACE1025712B6D6B17DC',16);
INSERT INTO "outcome" VALUES(2,'deployment-059',0,0.0,X'0F80374E5C53BA24CBFD0A9405754C87',X'46436BC9E8E1DACE1025712B6D6B17DC',16);
INSERT INTO "outcome" VALUES(3,'deployment-020',0,0.5,X'954CB4D71EFBBD7CF929B6D98EFCB558',X'DD7BD7D593D5B622C75599C0FF74E45D',28);
INSERT INTO "outcome" VALUES(3,'deployment-059',0,0.0,X'63E55613F200D5C5E4000BC3DD28E92B',X'DD7BD7D593D5B622C75599C0FF74E45D',28);
INSERT INTO "outcome" VALUES(4,'deployment-020',0,0.5,X'5D3BE42A09F68F22CFCBFCADFF0E708C',X'0B4C9F7B74DB22256B0E69721156CCBE',28);
INSERT INTO "outcome" VALUES(4,'deployment-059',0,0.25,X'8B67A7782443AB0B0D8C80A600311C93',X'0B4C9F7B74DB22256B0E69721156CCBE',28);
CREATE TABLE parent (
	run_id INTEGER NOT NULL, 
	design_id VARCHAR NOT NULL, 
	position INTEGER NOT NULL, 
	parent_id VARCHAR NOT NULL, 
	PRIMARY KEY (run_id, design_id, position)
);
INSERT INTO "parent" VALUES(1,'1-6e561517be09d1c710eaef4e56e4d6eb810a123607ef018174597552611192a2',0,'1-15156ccf931ecf0fbd34778651ae9f32362cece47699318f0d4262526a0c4d95');
CREATE TABLE recording (
	"key" BLOB NOT NULL, 
	trajectory BLOB NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "recording" VALUES(X'31ACEED409FC1E9299530DC8CCFF6557',X'789C9591BD6EC3300C845F45D09C1A46812C5AF2061DBA740832D032630B91C580926D1486DFBDF45FD1A2EEDF28E9BEBB2335E804F1A6CDA05DA98DB6E43DDAE4283CE4F9511F74490DB8202F8C16BC979B8AC0CBF9091A54A9462508B5ACE8AA106C2D572E54EA955A058C2AD6D4874C282A22720793B3C02F35A40D7471B669399CF478D031E13D6A731E34D8553D056F1A553162F86AC8142AF32E124F680AE44CED24B9E8219427F160EC8165EC3CCBA749036A73051F713CECA52FDC62FC53815527699D238F69B7440F1585FF7798B16F76F0ECAA3A990F32899A95BB05EECE7BEA3F37783CFEA1C202FEBE8655277185077BCBF6674DDCE278916FB7C4B87588ADB518E35A63E2123BEC50D0F3657C030C73EA77');
INSERT INTO "recording" VALUES(X'D1B26F00539B7EDE161EA2AF098CF033',X'789C95913D6EC3300C85AF2270760D6F05BCE406593B04196885B185C86241490902C3772FFD93A2458DB61945F17BEF911C2061BC403D803B410D96BD279B1C8797AA7A85024EDCA30BFA2364D17BADB48C5EDF7BECC9A48E8C229CC5F0D910DA4E4B2EB4E6CED9A090891DDF42A9143791E48A93B2C26F1DA607E8E22CE3312492B083B18098E83D427D1800ED4A4CE65FFB4C2B44E1A7B07068EB6F8DAADF78B497D26CB8B6DC784A3BD511BAA1E80AAAB29AA60E04F5197DA4B1D84AB17006FB86E4B7106B9FBACD793733E469EA6703E4FFAC202FE3CF2937AD3BEC7B92E7DD17EEEFF1D7BECF136C1B25C9341EF5EC9685D69F98ADA518D7141396C4D195943C1CC70FC6D9EBBB');
CREATE TABLE request (
	run_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	payload VARCHAR NOT NULL, 
	result VARCHAR, 
	PRIMARY KEY (run_id, number)
);
INSERT INTO "request" VALUES(1,0,'propose','{"parents": [], "brief": {"operators": {}}}','{"design": "1-15156ccf931ecf0fbd34778651ae9f32362cece47699318f0d4262526a0c4d95"}');
INSERT INTO "request" VALUES(1,1,'propose','{"parents": ["1-15156ccf931ecf0fbd34778651ae9f32362cece47699318f0d4262526a0c4d95"], "brief": {"operators": {}}}','{"design": "1-6e561517be09d1c710eaef4e56e4d6eb810a123607ef018174597552611192a2"}');
CREATE TABLE run (
	id INTEGER NOT NULL, 
	identity VARCHAR NOT NULL, 
	config VARCHAR NOT NULL, 
	domain_version VARCHAR NOT NULL, 
	agent_version VARCHAR NOT NULL, 
	sandbox VARCHAR NOT NULL, 
	status VARCHAR NOT NULL, 
	created FLOAT NOT NULL, 
	elapsed FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "run" VALUES(1,'1b1e9e9b5d8825ba','{"domain":"recall","agent":"lexical","strategy":"alma","proposer":"genetic","seed":0,"designs":2,"collection":2,"collection_repeats":1,"deployment":2,"repeats":1,"smoke":1,"memory_budget":1000,"reward_scale":1.0,"visit_penalty":0.5,"temperature":0.5,"step_size":5,"sandbox":"process","workers":0}','1','1','process (does not isolate: environment, filesystem, network, processes, total memory)','done',1.7954445705784857273e+09,9.02109499000289360992e-01);
CREATE TABLE told (
	"key" BLOB NOT NULL, 
	items BLOB NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "told" VALUES(X'7EBB3C7C2A87B1A2F8A7ED729ECB040D',X'789C8B8E0500011500B9');
INSERT INTO "told" VALUES(X'46436BC9E8E1DACE1025712B6D6B17DC',X'789C4DCCC10AC2300C00D05F293DEFA08D6DEDB7941D922C9983D8499DECF70541E8FDF16AF5B430C47C21BE27F293673473C743DCA737B77691E6E7A9FA5044056214CC3CAAED6DD816874F92FE8305532004600DB7119EB8EE6308256956BDA6C032BAD766B69FFF70FE02B9B2327F');
INSERT INTO "told" VALUES(X'DD7BD7D593D5B622C75599C0FF74E45D',X'789C55CF410A83301085E1AB48D62E6AC624E62CE262663251216A492D5EBFA55018F71FFFE38DA389E82D210067DB9BD63096D29C8B3417CEC7DECC556437533B1A1B250B38271858BBF555704F0D6E24F5072931B8F0201E3C69F8AE3A07D1E79073E72D8B56CFB594E35239882143B243070935FCAE9E724B66173AE2D85B62A7E57C509153252342204A9E23DFAE2CB86D52FF70FA00589B5960');
INSERT INTO "told" VALUES(X'0B4C9F7B74DB22256B0E69721156CCBE',X'789C55CE310E83300C85E1ABA0CC0C252609390B62B01D079002542915D76FD5A566FFF4BF378E26A2B784009C6D6F5AC3584A732ED25C381F7B335791DD4CED686C942CE09C6060EDD657C13D35B891D41F84E873C8B9F39645C3E75ACA71DD60C890ECD041420DBFBD53AADECE2E74C4B1B7C44ECBF9A022A74A468440943C47BE9D5C70DBA42A4889C18507F1E049C3F77F77FA006F335960');
CREATE INDEX ix_run_identity ON run (identity);
CREATE INDEX ix_parent_parent_id ON parent (parent_id);
CREATE INDEX event_of_design ON event (run_id, design_id);
CREATE INDEX evaluation_of_design ON evaluation (run_id, design_id, role);
COMMIT;
